/** When one plugin is upgraded, and what became of that: one upgrade at a time, and none again that has failed. */
import { LimpetError } from '../../core/errors.ts';
import { Current } from './current.ts';
import type { Instance } from './instance.ts';
import type { PluginDeps } from './options.ts';
import type { PluginSpec, PluginWork } from './port.ts';
import type { Acquired, Found } from './acquire.ts';
import { ofItself, orderOf } from './program.ts';
import { isLostAlready } from './session.ts';
import { takeOver, upgrade, type UpgradeEnd } from './upgrade.ts';

/** What a plugin is to be. */
export interface Wanted {
  readonly spec: PluginSpec;
  /** Of the program as it is now; undefined while it cannot be told. */
  readonly sha256: string | undefined;
}

export interface UpgradesPorts {
  readonly deps: PluginDeps;
  readonly work: PluginWork | undefined;
  /** The agent lets go. */
  readonly signal: AbortSignal;
  begin(acquired: Acquired): Instance;
  /** Called once everything belongs to one instance again. */
  ended(from: Current, end: UpgradeEnd): void;
}

interface UnderWay {
  readonly done: Promise<void>;
  next?: Instance;
  left: number;
}

const RECOVERED_POLL_MS = 100;

export class Upgrades {
  readonly #ports: UpgradesPorts;
  #now: UnderWay | undefined;
  #failed: { readonly problem: string; readonly to: string } | undefined;

  constructor(ports: UpgradesPorts) {
    this.#ports = ports;
  }

  /** Why the last one failed; '' when it has not. */
  get problem(): string {
    return this.#failed?.problem ?? '';
  }

  get now(): Omit<UnderWay, 'done'> | undefined {
    return this.#now;
  }

  /** Until the one that is under way has ended. */
  async settled(): Promise<void> {
    await this.#now?.done;
  }

  /** Begins one when what runs is not what is wanted, unless just that has failed. */
  consider(current: Current | undefined, wanted: Wanted): void {
    const { work } = this.#ports;
    if (current === undefined || this.#now !== undefined || work === undefined) return;
    if (this.#failed?.to === targetOf(wanted) || !isOther(current.instance, wanted)) return;
    void this.begin(current, wanted);
  }

  /** Waits until the runs of the old one are recovered. Never throws: see `problem`. */
  begin(from: Current, wanted: Wanted): Promise<void> {
    this.#now ??= { done: this.#run(from, wanted), left: 0 };
    return this.#now.done;
  }

  /**
   * The instance to begin with: an upgrade that another agent has begun comes to its end first. Errors: `store-failed`,
   * `cancelled`.
   */
  async begun({ main, next }: Found, wanted: Wanted): Promise<Current> {
    const ports = this.#ports;
    const { signal } = ports;
    const old = ports.begin(main);
    const current = new Current(old);
    if (next === undefined) return current;
    const other = ports.begin(next);
    const close = (): void => [old, other].forEach(({ session }) => session.close());
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    const { routing } = current;
    const end = await takeOver({ ...this.#parts(wanted.spec), old, routing }, other);
    this.#note(end.problem, wanted);
    signal.removeEventListener('abort', close);
    return new Current(end.owner);
  }

  async #run(from: Current, wanted: Wanted): Promise<void> {
    const ports = this.#ports;
    const { instance: old, routing } = from;
    try {
      await this.#recovered(old);
      const end = await upgrade({
        ...this.#parts(wanted.spec),
        ...{ old, routing },
        begin: (acquired) => {
          const next = ports.begin(acquired);
          if (this.#now !== undefined) this.#now.next = next;
          return next;
        },
      });
      this.#note(end.problem, wanted);
      this.#now = undefined;
      ports.ended(from, end);
    } catch (thrown) {
      if (!ports.signal.aborted) this.#note(LimpetError.from(thrown).message, wanted);
      this.#now = undefined;
    }
  }

  #parts(spec: PluginSpec) {
    const { deps, signal } = this.#ports;
    const left = (count: number): void => {
      if (this.#now !== undefined) this.#now.left = count;
    };
    return { spec, deps, signal, left };
  }

  /** Nothing is moved that somebody still looks for. An old one that is lost has nothing to wait for. */
  async #recovered({ session, live }: Instance): Promise<void> {
    const { deps, work, signal } = this.#ports;
    const { name } = live.record;
    while (work?.isRecovered(name) !== true && !isLostAlready(session))
      await deps.clock.sleep(RECOVERED_POLL_MS, signal);
  }

  #note(message: string, wanted: Wanted): void {
    const { log } = this.#ports.deps;
    const problem = ofItself(wanted.spec.name, message);
    this.#failed = problem === '' ? undefined : { problem, to: targetOf(wanted) };
    if (problem === '') log.info('plugin.upgraded', {});
    else log.warn('plugin.not-upgraded', { reason: problem });
  }
}

/** A hash that could not be told is no other one. */
export function isOtherTarget(a: Wanted, b: Wanted): boolean {
  const sha256 = a.sha256 ?? b.sha256;
  return targetOf({ ...a, sha256 }) !== targetOf({ ...b, sha256: b.sha256 ?? sha256 });
}

function targetOf({ spec, sha256 }: Wanted): string {
  return `${orderOf(spec)} ${spec.sha256 ?? ''} ${sha256 ?? ''}`;
}

/** Records of older agents do not tell what they were started by. */
function isOther({ live: { record } }: Instance, { spec, sha256 }: Wanted): boolean {
  const order = record.order ?? orderOf(spec);
  return order !== orderOf(spec) || record.sha256 !== (sha256 ?? record.sha256);
}
