/** Rings when something in a folder changes, by inotify; a folder that cannot be listened to is tried again at each `listen`. */
import { watch, type FSWatcher } from 'node:fs';

export class FolderWatch {
  readonly #ring: () => void;
  #folder: string | undefined;
  #watcher: FSWatcher | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** To this folder from now on; undefined: to none. A folder that was moved or made anew is found by listening again. */
  listen(folder: string | undefined, again: boolean): void {
    if (folder === this.#folder && this.#watcher !== undefined && !again) return;
    this.close();
    this.#folder = folder;
    if (folder === undefined) return;
    try {
      this.#watcher = watch(folder, { persistent: false }, () => {
        this.#ring();
      });
      this.#watcher.on('error', () => {
        this.close();
      });
    } catch {
      this.#watcher = undefined;
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
