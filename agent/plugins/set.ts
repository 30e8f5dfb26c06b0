/**
 * The set of plugins: looks at what there should be, and has a supervisor for each. Nothing of one waits for another.
 *
 *   offered, not there       supervised from now on; with a wrong pin it is refused
 *   refused, not there       shown with the reason; nothing is started
 *   offered, there           wanted as it is offered: the supervisor upgrades it if that is something else
 *   refused, there           goes on as it is
 *   not offered, there       removed: no new work; ended and forgotten once nothing needs it
 *
 * It looks when the folder changes, every 30 s, and when it is told to.
 */
import type { Timer } from '../../adapters/clock/port.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { PluginFact } from '../../wire/plugins.ts';
import { executorHealth } from './executor-health.ts';
import { refusedFact } from './fact.ts';
import { namesIn, type Offer } from './folder.ts';
import { FolderWatch } from './folder-watch.ts';
import { OfferBook, type Offered, type Offers, type OfferSources } from './offers.ts';
import type { PluginDeps } from './options.ts';
import type { ExecutorClient, ExecutorHealth, PluginHostEvents, PluginSet } from './port.ts';
import { ofItself, pinProblem } from './program.ts';
import { loadRecord } from './record.ts';
import { listProcessDirs } from './run-dir.ts';
import { PluginSupervisor } from './supervisor.ts';
import { sweep } from './sweep.ts';
import type { Wanted } from './upgrades.ts';

const LOOK_EVERY_MS = 30_000;
/** While a program is being written, or something removed still has work. */
const LOOK_SOON_MS = 500;
const AFTER_BELL_MS = 50;

export class ProcessPluginSet implements PluginSet {
  readonly #sources: OfferSources;
  readonly #deps: PluginDeps;
  readonly #book: OfferBook;
  readonly #watch: FolderWatch;
  readonly #supervisors = new Map<string, PluginSupervisor>();
  #events: PluginHostEvents | undefined;
  /** Names of the folder, until it has been looked at. */
  #awaited: readonly string[] = [];
  #refused: readonly Offer[] = [];
  #looking: Promise<void> = Promise.resolve();
  #sweeping: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #closed = false;

  constructor(sources: OfferSources, deps: PluginDeps) {
    this.#sources = sources;
    this.#deps = deps;
    this.#book = new OfferBook(sources, deps.clock);
    this.#watch = new FolderWatch(() => {
      this.#lookIn(AFTER_BELL_MS);
    });
  }

  start(events: PluginHostEvents): void {
    if (this.#events !== undefined) return;
    this.#events = events;
    const found = listProcessDirs(this.#deps.runDir);
    const folder = this.#sources.folder();
    const specs = this.#sources.specs();
    const pinned = specs.filter(({ sha256 }) => sha256 !== undefined).map(({ name }) => name);
    this.#awaited = [...pinned, ...(folder === undefined ? [] : namesIn(folder))];
    for (const spec of specs)
      if (spec.sha256 === undefined) this.#supervise({ spec, sha256: undefined });
    this.#sweeping = this.#look().then((offers) => this.#sweep(found, offers));
  }

  client(name: string): ExecutorClient | undefined {
    return this.#supervisors.get(name)?.client;
  }

  /** Of every plugin, refused ones too, from the first moment on. */
  health(): readonly ExecutorHealth[] {
    const own = [...this.#supervisors.values()].map(({ health }) => health);
    const before = this.#events === undefined ? this.#sources.specs().map(({ name }) => name) : [];
    const names = new Set(own.map(({ name }) => name));
    const waiting = [...before, ...this.#awaited].filter((name) => !names.has(name));
    const refused = this.#refused.filter(({ spec }) => !names.has(spec.name));
    return [...own, ...waiting.map(notStarted), ...refused.map(refusedHealth)];
  }

  set(): readonly PluginFact[] {
    const own = [...this.#supervisors.values()].map((supervisor) => supervisor.fact());
    return [...own, ...this.#refused.map((offer) => refusedFact(offer.spec, refusedHealth(offer)))];
  }

  async restart(name: string): Promise<void> {
    const supervisor = this.#supervisors.get(name);
    if (supervisor !== undefined) return supervisor.restart();
    const refused = this.#refused.find(({ spec }) => spec.name === name);
    if (refused === undefined) throw new LimpetError('not-found', `there is no plugin '${name}'`);
    throw new LimpetError(
      'refused',
      `plugin ${name} is not started: ${ofItself(name, refused.refused)}`,
    );
  }

  async reconsider(): Promise<void> {
    this.#book.forgetBuiltIn();
    await this.#look();
  }

  detach(): Promise<void> {
    return this.#leave((supervisor) => supervisor.detach());
  }

  shutdown(): Promise<void> {
    return this.#leave((supervisor) => supervisor.shutdown());
  }

  /** The clock's timers keep no process alive, and this may be the last thing that the agent does. */
  async #leave(how: (supervisor: PluginSupervisor) => Promise<void>): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#watch.close();
    const alive = setInterval(() => undefined, 1_000);
    try {
      await this.#looking;
      await Promise.all([...this.#supervisors.values()].map(how));
      await this.#sweeping;
    } finally {
      clearInterval(alive);
    }
  }

  /** One look at a time; each asks anew. Never throws. */
  #look(): Promise<Offers | undefined> {
    const look = this.#looking.then(() => this.#lookNow());
    this.#looking = look.then(
      () => undefined,
      () => undefined,
    );
    return look.catch((thrown: unknown) => {
      this.#deps.log.warn('plugin.set-not-looked-at', { reason: messageOf(thrown) });
      this.#lookIn(LOOK_EVERY_MS);
      return undefined;
    });
  }

  async #lookNow(): Promise<Offers | undefined> {
    if (this.#closed || this.#events === undefined) return undefined;
    // Before the look, so that nothing is missed between them.
    this.#watch.listen(this.#sources.folder(), true);
    const offers = await this.#book.look((reason) => {
      this.#deps.log.warn('plugin.folder-not-read', { reason });
    });
    const { offered, unknown, unsettled } = offers;
    const refused: Offer[] = [];
    for (const offer of offered) {
      const reason = await this.#apply(offer);
      if (reason !== '') refused.push({ spec: offer.spec, refused: reason });
    }
    this.#awaited = [];
    const names = new Set(offered.map(({ spec }) => spec.name));
    for (const supervisor of this.#supervisors.values())
      if (unknown !== 'all' && !names.has(supervisor.name) && !unknown.has(supervisor.name))
        supervisor.remove('it was removed: no new work, and its runs go on to their end');
    this.#tellRefused(refused);
    const left = await this.#forgetUnneeded();
    this.#lookIn(unsettled || left ? LOOK_SOON_MS : LOOK_EVERY_MS);
    return offers;
  }

  /** Answers why it is refused; '' when it is not, or when there is a process of it to go on with. */
  async #apply({ spec, refused, sha256 }: Offered): Promise<string> {
    const supervisor = this.#supervisors.get(spec.name);
    const wrongPin = sha256 === undefined ? '' : pinProblem(spec, sha256);
    if (supervisor !== undefined) {
      if (refused !== '' && supervisor.source !== (spec.source ?? 'config')) return refused;
      if (refused === '') supervisor.want({ spec, sha256 });
      if (refused !== '' || wrongPin !== '') supervisor.keep(refused || wrongPin);
      return '';
    }
    if (refused !== '') return refused;
    if (wrongPin !== '' && !(await this.#isStored(spec.name))) return wrongPin;
    this.#supervise({ spec, sha256 });
    return '';
  }

  async #isStored(name: string): Promise<boolean> {
    return (await loadRecord(this.#deps.store, name, this.#deps.log)) !== undefined;
  }

  #supervise(wanted: Wanted): void {
    if (this.#events === undefined) return;
    const supervisor = new PluginSupervisor(wanted, this.#deps, this.#events);
    this.#supervisors.set(supervisor.name, supervisor);
    supervisor.start();
  }

  /** Once per change. */
  #tellRefused(refused: readonly Offer[]): void {
    const before = new Map(this.#refused.map(({ spec, refused: why }) => [spec.name, why]));
    this.#refused = refused;
    for (const offer of refused) {
      const { spec } = offer;
      if (before.get(spec.name) === offer.refused) continue;
      this.#deps.log.warn('plugin.refused', { plugin: spec.name, reason: offer.refused });
      if (!this.#supervisors.has(spec.name)) this.#events?.health(refusedHealth(offer));
    }
    const now = new Set(refused.map(({ spec }) => spec.name));
    for (const name of before.keys())
      if (!now.has(name) && !this.#supervisors.has(name))
        this.#events?.lost(name, 'it was refused, and is gone');
  }

  /** Answers whether some have to stay for their work. */
  async #forgetUnneeded(): Promise<boolean> {
    const { work } = this.#events ?? {};
    const removed = [...this.#supervisors.values()].filter(({ isRemoved }) => isRemoved);
    for (const supervisor of removed) {
      const { name } = supervisor;
      if (work === undefined || work.unfinished(name) > 0) continue;
      await supervisor.shutdown();
      this.#supervisors.delete(name);
      this.#deps.log.info('plugin.removed', { plugin: name });
      this.#events?.lost(name, 'it was removed, and its runs have ended');
    }
    return removed.some(({ name }) => this.#supervisors.has(name));
  }

  #lookIn(delayMs: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.after(delayMs, () => void this.#look());
  }

  /** Of plugins that are not known, only what is known is ended. */
  async #sweep(
    found: ReturnType<typeof listProcessDirs>,
    offers: Offers | undefined,
  ): Promise<void> {
    if (offers === undefined || offers.unknown === 'all') return;
    const names = offers.offered.map(({ spec }) => spec.name);
    try {
      await sweep(await found, new Set([...names, ...offers.unknown]), this.#deps);
    } catch (error) {
      this.#deps.log.warn('plugin.sweep-failed', { error });
    }
  }
}

function notStarted(name: string): ExecutorHealth {
  const supervision = { state: 'starting' } as const;
  const nothing = { fingerprint: undefined, version: '', restarts: 0, removed: '' };
  return executorHealth({ name, supervision, ...nothing });
}

function refusedHealth({ spec, refused }: Offer): ExecutorHealth {
  const facts = { attributes: {}, freeSlots: 0, version: '', restarts: 0, pending: false };
  const reason = ofItself(spec.name, refused);
  return { name: spec.name, health: 'unhealthy', reason, state: 'refused', ...facts };
}
