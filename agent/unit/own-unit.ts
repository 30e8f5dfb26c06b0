/** The agent as the service of a systemd unit: when it is ready, what its status line says, what feeds its watchdog. */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ServiceManager } from '../../adapters/systemd/port.ts';
import { Watchdog } from '../../adapters/systemd/watchdog.ts';
import type { LiveExecution } from '../executions/live.ts';
import { Pulse } from './pulse.ts';
import { isTakenUp, type Recovering } from './readiness.ts';

export interface OwnUnitParts extends Recovering {
  readonly service: ServiceManager;
  readonly clock: Clock;
  readonly log: Logger;
  readonly executions: () => Iterable<LiveExecution>;
  /** One sentence for each thing that is not as it should be. */
  readonly degraded: () => readonly string[];
  /** Asked once, at the start. */
  readonly problems: Promise<readonly string[]>;
}

/** An engine that is away must not hold up a boot. */
const READY_MS = 10_000;
const LOOK_MS = 50;
const STATUS_EVERY_MS = 5_000;

export class OwnUnit {
  readonly #parts: OwnUnitParts;
  readonly #watchdog: Watchdog;
  readonly #closed = new AbortController();
  #problems: readonly string[] = [];
  /** The last status; undefined before the agent is ready. */
  #told: string | undefined;
  #timer: Timer | undefined;
  #draining = false;

  constructor(parts: OwnUnitParts) {
    this.#parts = parts;
    const { service, clock, log } = parts;
    this.#watchdog = new Watchdog({ service, clock, log, heart: new Pulse(parts.executions) });
  }

  /** What its unit would do to the work, for the status. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** The agent works from now on. Resolves when systemd has been told that it is ready, or with `close`. */
  async start(): Promise<void> {
    const { clock, service, log, problems } = this.#parts;
    void problems.then((found) => (this.#problems = found));
    const until = clock.uptime() + READY_MS;
    while (!isTakenUp(this.#parts) && clock.uptime() < until) {
      if (!(await this.#pause(LOOK_MS))) return;
    }
    const status = (this.#told = this.#status());
    service.ready(status);
    log.info('agent.ready', { status });
    this.#watchdog.start();
    this.#look();
  }

  /** Around the work of a reload: systemd shows it, and waits for its end. */
  async reload(work: () => Promise<void>): Promise<void> {
    const { service } = this.#parts;
    if (this.#told !== undefined) service.reloading();
    try {
      await work();
    } finally {
      if (this.#told !== undefined) service.ready((this.#told = this.#status()));
    }
  }

  draining(): void {
    this.#draining = true;
    this.#tell();
  }

  /** No work is waited for any more. */
  stopping(): void {
    this.#timer?.cancel();
    this.#closed.abort();
    this.#parts.service.stopping('letting go; plugins and runs may go on');
  }

  /** The last thing that ends: until then the watchdog is fed. */
  close(): void {
    this.#watchdog.close();
  }

  async #pause(ms: number): Promise<boolean> {
    await this.#parts.clock.sleep(ms, this.#closed.signal).catch(() => undefined);
    return !this.#closed.signal.aborted;
  }

  #look(): void {
    this.#timer = this.#parts.clock.after(STATUS_EVERY_MS, () => {
      this.#tell();
      this.#look();
    });
  }

  #tell(): void {
    const status = this.#status();
    if (status === this.#told || this.#told === undefined) return;
    this.#told = status;
    this.#parts.service.status(status);
  }

  #status(): string {
    const degraded = this.#parts.degraded();
    const state = this.#draining ? 'draining' : 'ready';
    return degraded.length === 0 ? state : `${state}, degraded: ${degraded.join('; ')}`;
  }
}
