/** What this node's runs look like now: one by name, or all by one labelled list. No side effects. */
import {
  LimpetError,
  readOrder,
  type ExecutorHost,
  type Observation,
  type RunKey,
} from '../../plugins/sdk/index.ts';
import type { EngineId } from './engine-id.ts';
import { isAway } from './engine-error.ts';
import { engineProcess, type EngineProcess } from './engine-start.ts';
import type { Container, ContainerSummary, Engine } from './engine.ts';
import {
  containerName,
  INSTANCE_LABEL,
  isOurs,
  runOf,
  specHashOf,
  type Identity,
} from './labels.ts';
import { Limit } from './limit.ts';
import type { Told } from './log-cursor.ts';
import { observation, phaseOf, unseen, type HostFacts, type RunRecord } from './observe.ts';
import { dockerParams } from './params.ts';
import { untoldRestart, type Restart } from './restart-gap.ts';
import { survivorsOf } from './survivors.ts';
import { isGivenUp, readLoss, readMark } from './run-files.ts';

const LIST_INSPECTS = 8;

type Shown = Pick<Container, 'status' | 'startedAt' | 'finishedAt'>;

export interface ObserverParts {
  readonly engine: Engine;
  readonly engineId: EngineId;
  readonly host: ExecutorHost;
  readonly identity: Identity;
  readonly pidFile: string | undefined;
}

export class Observer {
  readonly #parts: ObserverParts;
  /** Runs that are followed, by container name, with what the engine has shown of each since. */
  readonly #followed = new Map<string, Container | undefined>();

  constructor(parts: ObserverParts) {
    this.#parts = parts;
  }

  async observe(key: RunKey): Promise<Observation> {
    const record = await this.#record(key);
    const host = await this.#hostFacts();
    try {
      const container = await this.#inspect(this.name(key));
      if (container !== undefined) return observation(container, record, host);
      return unseen((await this.#isHere(record)) ? 'absent' : 'unobservable', record, host);
    } catch (thrown) {
      if (isAway(thrown)) return unseen('unobservable', record, host);
      throw thrown;
    }
  }

  /** The same of a container that the engine has just shown. */
  async observed(key: RunKey, container: Container): Promise<Observation> {
    return observation(container, await this.#record(key), await this.#hostFacts());
  }

  async list(): Promise<readonly Observation[]> {
    const { engine, engineId, host } = this.#parts;
    const folders = await host.runFolders();
    try {
      const containers = await engine.list(`${INSTANCE_LABEL}=${host.instanceId}`);
      const limit = new Limit(LIST_INSPECTS);
      const seen = await Promise.all(containers.map((c) => limit.run(() => this.#listed(c))));
      const found = seen.filter((o) => o !== undefined);
      const names = new Set(containers.map((c) => c.name));
      const rest = folders.filter((key) => !names.has(this.name(key)));
      const id = rest.length === 0 ? undefined : await engineId.read();
      return [...found, ...(await this.#elsewhere(rest, id))];
    } catch (thrown) {
      if (!isAway(thrown)) throw thrown;
      return this.#allUnobservable(folders);
    }
  }

  name(key: RunKey): string {
    return containerName(this.#parts.identity, key);
  }

  /** Its end or restart will be noticed from now on: what is known of it may be told in lists. */
  follow(name: string): void {
    this.#followed.set(name, undefined);
  }

  unfollow(name: string): void {
    this.#followed.delete(name);
  }

  /** undefined: it is gone. LimpetError `unavailable`: another engine than the one that answers holds it. */
  async container(key: RunKey): Promise<Container | undefined> {
    const name = this.name(key);
    const found = await this.#inspect(name);
    if (found !== undefined || (await this.#isHere(await this.#record(key)))) return found;
    throw new LimpetError(
      'unavailable',
      `${name} belongs to another engine than the one that answers`,
    );
  }

  /** The process of the engine that has just answered; undefined when its pid file does not tell. */
  async engineProcess(): Promise<EngineProcess | undefined> {
    const { pidFile, host } = this.#parts;
    return pidFile === undefined ? undefined : engineProcess(pidFile, host.bootId);
  }

  /** Of a run whose container the engine has just shown: the restart that its log has yet to tell of. */
  async restart(key: RunKey, container: Shown, told: Told): Promise<Restart | undefined> {
    const [{ mark, loss }, engine] = await Promise.all([this.#record(key), this.engineProcess()]);
    const phase = phaseOf(container.status);
    const isOver = phase === 'exited' || phase === 'removing';
    return untoldRestart({ container, isOver, mark, loss, engine, told });
  }

  /** Runs that another engine than this one holds, unless that one is given up. */
  async elsewhere(engineId: string | undefined): Promise<readonly RunKey[]> {
    const { host } = this.#parts;
    const keys = await host.runFolders();
    const other = await Promise.all(
      keys.map(async (key) => {
        const folder = host.runFolder(key);
        const mark = await readMark(folder);
        if (mark === undefined || mark.engineId === engineId) return false;
        return !(await isGivenUp(folder));
      }),
    );
    return keys.filter((_, i) => other[i]);
  }

  async #inspect(name: string): Promise<Container | undefined> {
    let container: Container | undefined;
    try {
      container = await this.#parts.engine.inspect(name);
      return container;
    } finally {
      if (this.#followed.has(name)) this.#followed.set(name, container);
    }
  }

  async #record(key: RunKey): Promise<RunRecord> {
    const folder = this.#parts.host.runFolder(key);
    const [mark, order, loss, givenUp] = await Promise.all([
      readMark(folder),
      readOrder(folder),
      readLoss(folder),
      isGivenUp(folder),
    ]);
    return { key, mark, order, loss, givenUp };
  }

  async #isHere({ mark, givenUp }: RunRecord): Promise<boolean> {
    if (mark === undefined || givenUp) return true;
    return mark.engineId === (await this.#parts.engineId.read());
  }

  async #hostFacts(): Promise<HostFacts> {
    const { identity, host } = this.#parts;
    const engine = await this.engineProcess();
    const { id: engineProcess, startedAt: engineStartedAt } = engine ?? {};
    const hasSurvivors = (id: string): boolean => survivorsOf(host.processes, id) > 0;
    return { identity, bootId: host.bootId, engineStartedAt, engineProcess, hasSurvivors };
  }

  /** A container of the list as an observation; undefined when its labels name no run. */
  async #listed(container: ContainerSummary): Promise<Observation | undefined> {
    const key = runOf(container.labels);
    if (key === undefined) return undefined;
    const phase = phaseOf(container.status);
    const facts = { container: container.name, containerId: container.id };
    if (!isOurs(this.#parts.identity, container))
      return { key, phase, marked: false, sameBoot: false, ours: false, facts };
    if (phase !== 'running' && phase !== 'paused') return this.observe(key);
    const [record, host] = await Promise.all([this.#record(key), this.#hostFacts()]);
    // The list has no start times. One that is followed was inspected since, and its restart would have been noticed.
    const known = this.#followed.get(container.name);
    if (known?.id === container.id && phaseOf(known.status) === phase)
      return observation(known, record, host);
    return {
      ...unseen('absent', record, host),
      phase,
      specHash: specHashOf(container.labels),
      facts,
    };
  }

  /** Of runs that the list does not show, those that were launched in another engine. */
  async #elsewhere(keys: readonly RunKey[], id: string | undefined): Promise<Observation[]> {
    const records = await Promise.all(keys.map((key) => this.#record(key)));
    const other = records.filter(
      ({ mark, givenUp }) => mark !== undefined && mark.engineId !== id && !givenUp,
    );
    const host = await this.#hostFacts();
    return other.map((record) => unseen('unobservable', record, host));
  }

  /** The folders are shared with other executors: ours are marked by us or have params of ours. */
  async #allUnobservable(keys: readonly RunKey[]): Promise<Observation[]> {
    const host = await this.#hostFacts();
    const seen = await Promise.all(
      keys.map(async (key) => {
        const record = await this.#record(key);
        const mine = record.mark !== undefined || (await this.#hasOurParams(key));
        return mine ? unseen('unobservable', record, host) : undefined;
      }),
    );
    return seen.filter((o) => o !== undefined);
  }

  async #hasOurParams(key: RunKey): Promise<boolean> {
    // One record that cannot be read must not hide the others; whose it was cannot be told.
    const spec = await this.#parts.host.readRun(key).catch(() => undefined);
    return dockerParams.safeParse(spec?.params).success;
  }
}
