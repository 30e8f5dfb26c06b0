/**
 * A process whose /proc/PID/stat stays open. The descriptor belongs to the process and not to its number: once it is gone
 * every read fails, whoever has that number then.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { isOurOwnLack } from './own-lack.ts';
import type { FollowedProcess, ProcessLook } from './port.ts';

type Look = ReturnType<FollowedProcess['look']>;

/** The name of the program, in brackets, has 64 bytes at the most; the state follows it. */
const room = Buffer.alloc(128);

export class FollowedProc implements FollowedProcess {
  readonly #fullLook: () => ProcessLook;
  #stat: number | undefined;

  constructor(pid: number, fullLook: () => ProcessLook) {
    this.#fullLook = fullLook;
    try {
      this.#stat = openSync(`/proc/${pid}/stat`, 'r');
    } catch {
      // It is gone, or no descriptor is left: the full look tells.
    }
    // Behind the opening: so it is the descriptor of this process and not of one that has its number now.
    if (this.#look(fullLook()) === 'gone') this[Symbol.dispose]();
  }

  look(): Look {
    return this.#stat === undefined ? this.#look(this.#fullLook()) : this.#read(this.#stat);
  }

  #look(look: ProcessLook): Look {
    return look === 'alive' || look === 'stopped' ? look : 'gone';
  }

  #read(stat: number): Look {
    try {
      const text = room.toString('latin1', 0, readSync(stat, room, 0, room.length, 0));
      const state = text[text.lastIndexOf(')') + 2] ?? '';
      if (state === 'T') return 'stopped';
      return ['Z', 'X', 'x', ''].includes(state) ? 'gone' : 'alive';
    } catch (thrown) {
      if (isOurOwnLack(thrown)) throw thrown;
      return 'gone';
    }
  }

  [Symbol.dispose](): void {
    if (this.#stat !== undefined) closeSync(this.#stat);
    this.#stat = undefined;
  }
}
