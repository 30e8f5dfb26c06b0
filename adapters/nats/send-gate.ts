/** Holds back what is to be sent while a connection is being replaced, in order. */
import { messageOf } from '../../core/errors.ts';
import type { Logger } from '../log/port.ts';

export class SendGate {
  readonly #log: Logger;
  #held: (() => void)[] | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** At once while the gate is open; what is held and then throws is logged: nobody is there any more to hear it. */
  send(work: () => void): void {
    if (this.#held === undefined) work();
    else this.#held.push(work);
  }

  shut(): void {
    this.#held ??= [];
  }

  open(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const work of held) {
      try {
        work();
      } catch (thrown) {
        this.#log.warn('transport.not-sent', { reason: messageOf(thrown) });
      }
    }
  }
}
