/** Looks once a second, one look at a time; a look that fails is told, and the next one comes all the same. */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { messageOf } from '../../core/errors.ts';

export interface RegularLookParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Told with the reason when a look has failed. */
  readonly failure: string;
  look(this: void): Promise<void>;
}

const EVERY_MS = 1_000;

export class RegularLook {
  readonly #parts: RegularLookParts;
  #timer: Timer | undefined;

  constructor(parts: RegularLookParts) {
    this.#parts = parts;
    this.#arm();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#parts.clock.after(EVERY_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { look, log, failure } = this.#parts;
    try {
      await look();
    } catch (thrown) {
      log.error(failure, { reason: messageOf(thrown) });
    }
    if (this.#timer !== undefined) this.#arm();
  }
}
