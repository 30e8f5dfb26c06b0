/**
 * Which executors of this node have recovered: each does so when its plugin is ready; afterwards it is listed every 30 s,
 * because news of a run can be lost.
 */
import { messageOf } from '../../core/errors.ts';
import type { Timer } from '../../adapters/clock/port.ts';
import type { ExecutorClient, PluginHost } from '../plugins/port.ts';
import { Recovery, type RecoveryDeps, type RecoveryReport } from './recovery.ts';

export interface RecoveriesDeps extends RecoveryDeps {
  readonly host: PluginHost;
}

const LIST_EVERY_MS = 30_000;

export class Recoveries {
  readonly #deps: RecoveriesDeps;
  readonly #recovery: Recovery;
  readonly #reports = new Map<string, RecoveryReport>();
  readonly #recovered = new Set<string>();
  /** Told of news while they were recovering: the list may have been older. */
  readonly #woken = new Set<string>();
  #listTimer: Timer | undefined;
  #readyAt: number | undefined;

  constructor(deps: RecoveriesDeps) {
    this.#deps = deps;
    this.#recovery = new Recovery({
      ...deps,
      recovered: (name, report) => {
        this.#recoveredNow(name, report);
      },
    });
  }

  /** Lists from now on. */
  start(): void {
    this.#listTimer = this.#deps.clock.after(LIST_EVERY_MS, () => {
      for (const name of this.#recovered) this.relist(name);
      this.start();
    });
  }

  close(): void {
    this.#listTimer?.cancel();
  }

  /** When the last of the configured executors had recovered for the first time. */
  get readyAt(): number | undefined {
    return this.#readyAt;
  }

  get reports(): ReadonlyMap<string, RecoveryReport> {
    return this.#reports;
  }

  has(executor: string): boolean {
    return this.#recovered.has(executor);
  }

  begin(client: ExecutorClient, generation: number): void {
    void this.#recovery.recover(client, generation);
  }

  lost(executor: string): void {
    this.#recovered.delete(executor);
  }

  /** There is news while it recovers. */
  woken(executor: string): void {
    this.#woken.add(executor);
  }

  relist(executor: string): void {
    const client = this.#deps.host.client(executor);
    if (client === undefined) return;
    this.#recovery.relist(client).catch((thrown: unknown) => {
      this.#deps.log.warn('executor.list-failed', { executor, reason: messageOf(thrown) });
    });
  }

  #recoveredNow(executor: string, report: RecoveryReport): void {
    const { host, clock } = this.#deps;
    this.#reports.set(executor, report);
    this.#recovered.add(executor);
    if (this.#woken.delete(executor)) this.relist(executor);
    const awaited = host.health().filter(({ state }) => state !== 'refused');
    if (awaited.every(({ name }) => this.#recovered.has(name))) this.#readyAt ??= clock.now();
    this.#deps.recovered(executor, report);
  }
}
