/** New ids: a kind letter and a version 7 UUID. */
import type { Clock, Random } from '../../adapters/clock/port.ts';
import {
  parseEvaluationId,
  parseExecutionId,
  parseJobId,
  uuidV7,
  type EvaluationId,
  type ExecutionId,
  type JobId,
} from '../../core/ids.ts';

export class Mint {
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  uuid(): string {
    return uuidV7(this.#clock.now(), this.#random.bytes(10));
  }

  job(): JobId {
    return parseJobId(`j-${this.uuid()}`);
  }

  execution(): ExecutionId {
    return parseExecutionId(`e-${this.uuid()}`);
  }

  evaluation(): EvaluationId {
    return parseEvaluationId(`v-${this.uuid()}`);
  }
}
