/**
 * Stands in for systemd's end of NOTIFY_SOCKET, since Node knows no unix datagrams: a `systemd-notify` that writes its
 * arguments into a file, a line a call. It can be held and broken, and shows when two run at once.
 */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from './temp-dir.ts';
import type { Teardown } from './teardown.ts';

const PROGRAM = `#!/bin/sh
mkdir "$NOTIFY_SOCKET.alone" || echo TWO AT A TIME >> "$NOTIFY_SOCKET"
while [ -e "$NOTIFY_SOCKET.held" ]; do sleep 0.01; done
rmdir "$NOTIFY_SOCKET.alone"
if [ -e "$NOTIFY_SOCKET.broken" ]; then
  echo >> "$NOTIFY_SOCKET.tries"
  echo "no such socket" >&2
  exit 1
fi
echo "$*" >> "$NOTIFY_SOCKET"
`;

export class NotifySocket {
  /** For the program under test. */
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(t: Teardown) {
    const folder = tempDir(t);
    this.#file = join(folder, 'notify');
    writeFileSync(join(folder, 'systemd-notify'), PROGRAM);
    chmodSync(join(folder, 'systemd-notify'), 0o755);
    this.env = { NOTIFY_SOCKET: this.#file, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
  }

  /** A line for each call that was told. */
  get lines(): readonly string[] {
    return existsSync(this.#file) ? readFileSync(this.#file, 'utf8').trim().split('\n') : [];
  }

  /** How many calls have failed. */
  get tries(): number {
    const file = `${this.#file}.tries`;
    return existsSync(file) ? readFileSync(file).length : 0;
  }

  /** Calls do not return. */
  hold(): void {
    writeFileSync(`${this.#file}.held`, '');
  }

  release(): void {
    rmSync(`${this.#file}.held`);
  }

  /** Calls fail. */
  break(): void {
    writeFileSync(`${this.#file}.broken`, '');
  }

  mend(): void {
    rmSync(`${this.#file}.broken`);
  }
}
