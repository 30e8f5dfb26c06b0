/**
 * `agent.json`: where the agent of a data folder answers. On a full disk there may be no room for it: then the one before
 * it goes, and it is written later; its socket is `run/agent.sock` in the data folder, unless that path is too long.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { writeDurably } from '../adapters/durable/write-durably.ts';
import type { Logger } from '../adapters/log/port.ts';
import { isNoSpace } from '../adapters/store/inspect.ts';

export class Announcement {
  readonly #file: string;
  readonly #text: string;
  readonly #log: Logger;
  #written = false;
  #withdrawn = false;

  constructor(
    dataDir: string,
    content: { readonly socket: string; readonly nodeId: string },
    log: Logger,
  ) {
    this.#file = join(dataDir, 'agent.json');
    this.#text = `${JSON.stringify({ ...content, pid: process.pid })}\n`;
    this.#log = log;
  }

  /** Call again when there is room. */
  async write(): Promise<void> {
    if (this.#written || this.#withdrawn) return;
    this.#written = true;
    try {
      await writeDurably(this.#file, this.#text).catch(() => this.#inPlaceOfTheOld());
    } catch (thrown) {
      this.#written = false;
      if (!isNoSpace(thrown)) throw thrown;
      this.#log.warn('agent.not-announced', { reason: messageOf(thrown) });
    }
    if (this.#withdrawn) await this.withdraw();
  }

  async withdraw(): Promise<void> {
    this.#withdrawn = true;
    await rm(this.#file, { force: true });
  }

  /** It names a process that is no more, and what it takes may be all that is missing. */
  async #inPlaceOfTheOld(): Promise<void> {
    await rm(this.#file, { force: true });
    await writeDurably(this.#file, this.#text);
  }
}
