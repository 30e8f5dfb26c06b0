/**
 * Supervises one plugin, on its own: found again or started, ready, watched; when it is lost, what is provenly left of it is
 * ended, and it is started anew with back-off. Nothing here waits for another plugin.
 *
 *   stored record -> found again -> ok ------------------> ready -> lost -> back-off -> start -> ready ...
 *                                -> dead, hung, foreign -> start -^ \-> upgrade: another instance is the one -> ready
 *
 * Which plugin it is to be may change at any time (`want`): what runs is upgraded, what does not run is tried at once.
 */
import { LimpetError } from '../../core/errors.ts';
import type { PluginFact } from '../../wire/plugins.ts';
import { clear, clearStored, findAgain, startFresh, type Acquired, type Found } from './acquire.ts';
import type { FingerprintFacts } from './convert.ts';
import { Current } from './current.ts';
import { executorHealth, type SupervisionState } from './executor-health.ts';
import { factOf, stateOf } from './fact.ts';
import { Instance } from './instance.ts';
import type { PluginDeps } from './options.ts';
import type { ExecutorClient, ExecutorHealth, PluginHostEvents } from './port.ts';
import { checkPinned, ofItself } from './program.ts';
import { recordKey } from './record.ts';
import { Retries } from './retries.ts';
import type { UpgradeEnd } from './upgrade.ts';
import { isOtherTarget, Upgrades, type Wanted } from './upgrades.ts';

export class PluginSupervisor {
  readonly #deps: PluginDeps;
  readonly #events: PluginHostEvents;
  readonly #letGo = new AbortController();
  #wanted: Wanted;
  /** Why it is to go, when its runs have ended. */
  #removed = '';
  /** Why it cannot be what is wanted. */
  #note = '';
  /** Of the last process. */
  #version = '';
  #supervision: SupervisionState = { state: 'starting' };
  #current: Current | undefined;
  readonly #upgrades: Upgrades;
  #soughtStored = false;
  #generation = 0;
  readonly #retries: Retries;
  #told = '';
  #done: Promise<void> | undefined;

  constructor(wanted: Wanted, deps: PluginDeps, events: PluginHostEvents) {
    this.#wanted = wanted;
    this.#deps = { ...deps, log: deps.log.child({ plugin: wanted.spec.name }) };
    this.#events = events;
    this.#retries = new Retries(deps, this.#letGo.signal);
    this.#upgrades = new Upgrades({
      ...{ deps: this.#deps, work: events.work, signal: this.#letGo.signal },
      begin: (acquired) => this.#newInstance(acquired),
      ended: (from, end) => this.#upgraded(from, end),
    });
  }

  get name(): string {
    return this.#wanted.spec.name;
  }

  get source(): PluginFact['source'] {
    return this.#wanted.spec.source ?? 'config';
  }

  get isRemoved(): boolean {
    return this.#removed !== '';
  }

  /** Present while the plugin is ready, slow or not. Another one for each instance that takes new work. */
  get client(): ExecutorClient | undefined {
    return this.#current?.client;
  }

  get health(): ExecutorHealth {
    const instance = this.#current?.instance;
    return executorHealth({
      name: this.name,
      supervision: this.#supervision,
      removed: this.#removed,
      fingerprint: instance?.fingerprint,
      version: instance?.live.info.version ?? this.#version,
      restarts: this.#retries.count,
    });
  }

  fact(): PluginFact {
    const { now, problem } = this.#upgrades;
    return factOf({
      spec: this.#wanted.spec,
      health: this.health,
      state: stateOf(this.#supervision, { removed: this.isRemoved, upgrading: now !== undefined }),
      note: problem === '' || now !== undefined ? this.#note : `upgrade failed: ${problem}`,
      instance: this.#current?.instance,
      runs: this.#events.work?.running(this.name) ?? 0,
      upgrade: now?.next && { next: now.next, runsLeft: now.left },
    });
  }

  start(): void {
    this.#done ??= this.#supervise();
  }

  /** What it is to be from now on; one that was to go stays. */
  want(wanted: Wanted): void {
    if (isOtherTarget(wanted, this.#wanted)) this.#retries.ask();
    this.#wanted = wanted;
    this.keep('');
    this.#upgrades.consider(this.#current, wanted);
  }

  /** It stays what it is; `note`: why it cannot be what it is now, for people. */
  keep(note: string): void {
    this.#removed = '';
    this.#note = ofItself(this.name, note);
    this.#tell();
  }

  /** No new work; whoever calls this ends it when it is not needed any more. */
  remove(reason: string): void {
    this.#removed = reason;
    this.#tell();
  }

  /** See `PluginSet.restart`. Errors: `plugin-failed`. */
  async restart(): Promise<void> {
    const upgrades = this.#upgrades;
    await upgrades.settled();
    const current = this.#current;
    if (upgrades.problem !== '' && current !== undefined) {
      await upgrades.begin(current, this.#wanted);
      if (upgrades.problem === '') return;
      const message = `plugin ${this.name}: upgrade failed: ${upgrades.problem}`;
      throw new LimpetError('plugin-failed', message);
    }
    // What cannot be started again is not ended.
    await checkPinned(this.#wanted.spec);
    this.#retries.ask();
    await current?.instance.shutDown();
    current?.instance.session.lose('an operator restarts it');
  }

  /** Lets go of the process without touching it. Twice is the same as once. */
  async detach(): Promise<void> {
    this.#letGo.abort();
    this.#current?.instance.session.close();
    this.#upgrades.now?.next?.session.close();
    await this.#upgrades.settled();
    await this.#done;
  }

  /** Ends the process in an orderly way; its runs go on. */
  async shutdown(): Promise<void> {
    const live = [this.#current?.instance, this.#upgrades.now?.next];
    this.#letGo.abort();
    await Promise.all(live.map(async (instance) => instance?.shutDown()));
    await this.detach();
    await clearStored(this.name, this.#deps);
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#letGo;
    this.#enter({ state: 'starting' });
    while (!signal.aborted) {
      const reason = await this.#oneLife();
      if (signal.aborted) break;
      const goesOn = await this.#retries.next((delayMs) => {
        this.#enter({ state: 'backoff', reason, delayMs });
      });
      if (goesOn) this.#enter({ state: 'starting' });
    }
    // Not told: a plugin that was let go is not unhealthy.
    this.#supervision = { state: 'stopped' };
  }

  /** From start to loss. Answers why it is over; never throws. */
  async #oneLife(): Promise<string> {
    try {
      const begun = await this.#upgrades.begun(await this.#acquire(), this.#wanted);
      this.#own(begun);
      this.#announce();
      this.#upgrades.consider(begun, this.#wanted);
      const over = this.#retries.life();
      const reason = await this.#untilLost(begun);
      over();
      await this.#end(reason);
      return reason;
    } catch (error) {
      const { code, message } = LimpetError.from(error);
      if (code !== 'cancelled')
        this.#deps.log.warn('plugin.not-started', { code, reason: message });
      return ofItself(this.name, message);
    }
  }

  async #acquire(): Promise<Found> {
    const { signal } = this.#letGo;
    const { spec } = this.#wanted;
    this.#retries.begin();
    if (!this.#soughtStored) {
      const found = await findAgain(spec, this.#deps, signal);
      this.#soughtStored = true;
      if (found !== undefined) return found;
    }
    return { main: await startFresh({ spec, key: recordKey(this.name) }, this.#deps, signal) };
  }

  #newInstance(acquired: Acquired): Instance {
    return new Instance(acquired, this.#deps, {
      fingerprint: (instance, before) => this.#onFingerprint(instance, before),
      wake: (ref, end) => this.#events.wake(this.name, ref, end),
      slow: (instance, slow) => this.#onSlow(instance, slow),
    });
  }

  #own(current: Current): void {
    this.#current = current;
    const { live, reattached } = current.instance;
    this.#version = live.info.version;
    this.#enter({ state: 'ready', live, reattached });
  }

  /** What there is has to be looked at. */
  #announce(): void {
    const { client } = this;
    if (client === undefined) return;
    this.#generation += 1;
    this.#events.ready(this.name, client, this.#generation);
  }

  /** One that is upgraded goes on as another instance. */
  async #untilLost(begun: Current): Promise<string> {
    for (let current = begun; ;) {
      const reason = await current.instance.session.lost;
      await this.#upgrades.settled();
      if (this.#current === undefined || this.#current === current) return reason;
      current = this.#current;
    }
  }

  async #end(reason: string): Promise<void> {
    const instance = this.#current?.instance;
    instance?.session.close();
    this.#current = undefined;
    if (this.#letGo.signal.aborted || instance === undefined) return;
    const { record } = instance.live;
    this.#deps.log.warn('plugin.lost', { reason, pid: record.Pid });
    this.#events.lost(this.name, reason);
    await clear(record, this.#deps);
  }

  #upgraded(from: Current, { owner, unseen }: UpgradeEnd): void {
    if (owner !== from.instance) this.#own(new Current(owner, from.routing));
    if (unseen) this.#announce();
    this.#tell();
    this.#upgrades.consider(this.#current, this.#wanted);
  }

  #onFingerprint(instance: Instance, before: FingerprintFacts | undefined): void {
    if (instance !== this.#current?.instance) return;
    this.#tell();
    // The engine behind the plugin is back: everything may have changed, and what it could not be asked about is
    // supervised by nobody.
    const isBack = before !== undefined && before.health !== 'healthy';
    if (isBack && instance.fingerprint?.health === 'healthy') this.#announce();
  }

  #onSlow(instance: Instance, slow: boolean): void {
    const now = this.#supervision;
    if (instance !== this.#current?.instance) return;
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
