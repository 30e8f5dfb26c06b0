/** The requester as the service of a systemd unit: its status line, and what feeds its watchdog. */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ServiceManager } from '../../adapters/systemd/port.ts';
import { Watchdog } from '../../adapters/systemd/watchdog.ts';
import type { Coordinator } from '../state/coordinator.ts';

export interface OwnUnitParts {
  readonly service: ServiceManager;
  readonly coordinator: Pick<Coordinator, 'run' | 'writing'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** One sentence for each thing that is not as it should be. */
  readonly problems: () => readonly string[];
}

const STATUS_EVERY_MS = 5_000;

export class OwnUnit {
  readonly #parts: OwnUnitParts;
  readonly #watchdog: Watchdog;
  #told: string;
  #timer: Timer | undefined;

  /** API and transport stand: systemd is told so. */
  constructor(parts: OwnUnitParts) {
    this.#parts = parts;
    const { service, coordinator, clock, log } = parts;
    const heart = {
      // A turn like any other; it changes nothing, so that nothing is written.
      pass: () => coordinator.run(() => undefined),
      waitsForDisk: () => coordinator.writing,
    };
    this.#watchdog = new Watchdog({ service, clock, log, heart });
    this.#told = this.#status();
    service.ready(this.#told);
    this.#watchdog.start();
    this.#look();
  }

  /** Around the work of a reload: systemd shows it, and waits for its end. */
  async reload(work: () => Promise<void>): Promise<void> {
    const { service } = this.#parts;
    service.reloading();
    try {
      await work();
    } finally {
      service.ready((this.#told = this.#status()));
    }
  }

  stopping(): void {
    this.#timer?.cancel();
    this.#parts.service.stopping('stopping');
  }

  /** The last thing that ends: until then the watchdog is fed. */
  close(): void {
    this.#watchdog.close();
  }

  #look(): void {
    this.#timer = this.#parts.clock.after(STATUS_EVERY_MS, () => {
      const status = this.#status();
      if (status !== this.#told) this.#parts.service.status((this.#told = status));
      this.#look();
    });
  }

  #status(): string {
    const problems = this.#parts.problems();
    return problems.length === 0 ? 'ready' : `ready, degraded: ${problems.join('; ')}`;
  }
}
