/**
 * Supervises one plugin, on its own: reattach or start, ready, watch; when it is lost, what is provenly left of it is
 * ended, and it is started anew with back-off. Nothing here waits for another plugin.
 *
 *   stored record -> reattach -> ok ------------------> ready -> lost -> back-off -> start -> ready ...
 *                             -> dead, hung, foreign -> start -^
 */
import { backoffMs } from '../../core/backoff.ts';
import { LimpetError } from '../../core/errors.ts';
import { clear, reattachStored, startFresh, type Acquired } from './acquire.ts';
import type { FingerprintFacts } from './convert.ts';
import { shutDown } from './ending.ts';
import { executorHealth, type SupervisionState } from './executor-health.ts';
import type { PluginDeps } from './options.ts';
import type { ExecutorClient, ExecutorHealth, PluginHostEvents, PluginSpec } from './port.ts';
import { deleteRecord, identityOf, loadRecord } from './record.ts';
import { PluginSession } from './session.ts';

export class PluginSupervisor {
  readonly #spec: PluginSpec;
  readonly #deps: PluginDeps;
  readonly #events: PluginHostEvents;
  readonly #letGo = new AbortController();
  #supervision: SupervisionState = { state: 'starting' };
  #session: PluginSession | undefined;
  #fingerprint: FingerprintFacts | undefined;
  #version = '';
  #generation = 0;
  #restarts = 0;
  /** Lives in a row that ended before they were steady. */
  #failures = 0;
  #told = '';
  #done: Promise<void> | undefined;

  constructor(spec: PluginSpec, deps: PluginDeps, events: PluginHostEvents) {
    this.#spec = spec;
    this.#deps = { ...deps, log: deps.log.child({ plugin: spec.name }) };
    this.#events = events;
  }

  get name(): string {
    return this.#spec.name;
  }

  /** Present while the plugin is ready, slow or not. */
  get client(): ExecutorClient | undefined {
    return this.#session?.client;
  }

  get health(): ExecutorHealth {
    return executorHealth({
      name: this.name,
      supervision: this.#supervision,
      fingerprint: this.#fingerprint,
      version: this.#version,
      restarts: this.#restarts,
    });
  }

  start(): void {
    this.#done ??= this.#supervise();
  }

  /** Lets go of the process without touching it. Twice is the same as once. */
  async detach(): Promise<void> {
    this.#letGo.abort();
    this.#session?.close();
    await this.#done;
  }

  /** Ends the process in an orderly way; its runs go on. */
  async shutdown(): Promise<void> {
    const live = this.#session?.live;
    this.#letGo.abort();
    if (live !== undefined) await shutDown(this.#deps, identityOf(live.record), live.link);
    await this.detach();
    const record = await loadRecord(this.#deps.store, this.name, this.#deps.log);
    if (record === undefined) return;
    await clear(record, this.#deps);
    await deleteRecord(this.#deps.store, this.name);
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#letGo;
    this.#enter({ state: 'starting' });
    let acquired = await reattachStored(this.#spec, this.#deps, signal);
    while (!signal.aborted) {
      const reason = await this.#oneLife(acquired);
      acquired = undefined;
      if (!signal.aborted) await this.#backOff(reason);
    }
    acquired?.live.link.close();
    // Not told: a plugin that was let go is not unhealthy.
    this.#supervision = { state: 'stopped' };
  }

  /** From start to loss of one process. Answers why it is over; never throws. */
  async #oneLife(acquired: Acquired | undefined): Promise<string> {
    try {
      const { signal } = this.#letGo;
      const session = this.#begin(acquired ?? (await startFresh(this.#spec, this.#deps, signal)));
      const readyAt = this.#deps.clock.uptime();
      const reason = await session.lost;
      const steady = this.#deps.clock.uptime() - readyAt >= this.#deps.timings.steadyMs;
      if (steady) this.#failures = 0;
      await this.#end(session, reason);
      return reason;
    } catch (error) {
      const { code, message } = LimpetError.from(error);
      if (code !== 'cancelled')
        this.#deps.log.warn('plugin.not-started', { code, reason: message });
      return message;
    }
  }

  #begin({ live, paramsSchema, reattached }: Acquired): PluginSession {
    const session = new PluginSession(live, this.#deps, {
      paramsSchema,
      sink: {
        fingerprint: (facts) => this.#onFingerprint(facts),
        wake: (ref, end) => this.#events.wake(this.name, ref, end),
        slow: (slow) => this.#onSlow(slow),
      },
    });
    this.#session = session;
    this.#fingerprint = undefined;
    this.#version = live.info.version;
    this.#generation += 1;
    const { Pid: pid, instance } = live.record;
    const event = reattached ? 'plugin.reattached' : 'plugin.started';
    this.#deps.log.info(event, { pid, instance, version: this.#version });
    session.begin();
    this.#enter({ state: 'ready', live, reattached });
    this.#events.ready(this.name, session.client, this.#generation);
    return session;
  }

  async #end(session: PluginSession, reason: string): Promise<void> {
    session.close();
    this.#session = undefined;
    if (this.#letGo.signal.aborted) return;
    this.#deps.log.warn('plugin.lost', { reason, pid: session.live.record.Pid });
    this.#events.lost(this.name, reason);
    await clear(session.live.record, this.#deps);
  }

  async #backOff(reason: string): Promise<void> {
    const delayMs = backoffMs(this.#deps.timings.restart, this.#failures);
    this.#failures += 1;
    this.#enter({ state: 'backoff', reason, delayMs });
    await this.#deps.clock.sleep(delayMs, this.#letGo.signal).catch(() => undefined);
    if (this.#letGo.signal.aborted) return;
    this.#restarts += 1;
    this.#enter({ state: 'starting' });
  }

  #onFingerprint(facts: FingerprintFacts): void {
    const before = this.#fingerprint?.health;
    this.#fingerprint = facts;
    this.#tell();
    // The engine behind the plugin is back: everything may have changed, and what it could not be asked about is
    // supervised by nobody.
    const session = this.#session;
    if (before === undefined || before === 'healthy' || facts.health !== 'healthy') return;
    if (session === undefined) return;
    this.#generation += 1;
    this.#events.ready(this.name, session.client, this.#generation);
  }

  #onSlow(slow: boolean): void {
    const now = this.#supervision;
    if (now.state === 'ready' && slow) this.#enter({ ...now, state: 'slow' });
    if (now.state === 'slow' && !slow) this.#enter({ ...now, state: 'ready' });
  }

  #enter(next: SupervisionState): void {
    this.#supervision = next;
    this.#tell();
  }

  /** Once per change. */
  #tell(): void {
    const { health } = this;
    const text = JSON.stringify(health);
    if (text === this.#told) return;
    this.#told = text;
    this.#events.health(health);
  }
}
