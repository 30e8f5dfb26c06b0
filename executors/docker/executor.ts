/** The docker executor: one container per run, held by the engine. */
import {
  LimpetError,
  messageOf,
  pause,
  type Executor,
  type ExecutorHost,
  type Fingerprint,
  type LogSource,
  type Observation,
  type Progress,
  type RunContext,
  type RunKey,
  type RunSpec,
  type StopOrder,
} from '../../plugins/sdk/index.ts';
import type { DockerConfig } from './config.ts';
import type { EngineId } from './engine-id.ts';
import { isAway, statusOf } from './engine-error.ts';
import { engineStartedAt } from './engine-start.ts';
import type { ContainerSummary, Engine } from './engine.ts';
import { containerName, INSTANCE_LABEL, isOurs, runOf, specHashOf } from './labels.ts';
import { launch, type Launcher } from './launch.ts';
import { Limit } from './limit.ts';
import { DockerLog } from './log-source.ts';
import { observation, phaseOf, unseen, type HostFacts, type RunRecord } from './observe.ts';
import { dockerParams, type DockerParams } from './params.ts';
import { prepareImage } from './prepare.ts';
import { readLoss, readMark, readOrder, recordOrder } from './run-files.ts';
import { Stopper } from './stopper.ts';
import { supervise } from './supervise.ts';

type Run = RunContext<DockerParams>;

const LIST_INSPECTS = 8;
const REMOVAL_MS = 30_000;

export interface DockerExecutorParts {
  readonly engine: Engine;
  readonly engineId: EngineId;
  readonly config: DockerConfig;
  readonly host: ExecutorHost;
  readonly startConcurrency: number;
}

export class DockerExecutor implements Executor<DockerParams> {
  readonly #parts: DockerExecutorParts;
  readonly #launcher: Launcher;
  readonly #stopper: Stopper;
  readonly #closing = new AbortController();
  /** Runs that are supervised, by container name: an order is carried out for as long. */
  readonly #watched = new Map<string, AbortSignal>();

  constructor(parts: DockerExecutorParts) {
    const { engine, engineId, config, host } = parts;
    const identity = { nodeId: host.nodeId, instanceId: host.instanceId };
    const starts = new Limit(parts.startConcurrency);
    this.#parts = parts;
    const named = async () => (await engineId.read()) ?? (await this.engineId());
    const closing = this.#closing.signal;
    this.#launcher = { engine, engineId: named, identity, config, host, starts, closing };
    this.#stopper = new Stopper(engine, host.log);
  }

  async engineId(): Promise<string | undefined> {
    try {
      const strangers = await this.#otherEnginesMarks(await this.#parts.engineId.read());
      return strangers > 0
        ? await this.#parts.engineId.read()
        : await this.#parts.engineId.ensure();
    } catch (thrown) {
      if (isAway(thrown)) return undefined;
      throw thrown;
    }
  }

  async fingerprint(): Promise<Fingerprint> {
    const { engine, engineId, config } = this.#parts;
    try {
      await engine.ping();
      const info = await engine.info();
      const attributes = {
        'docker.version': info.ServerVersion,
        'docker.cgroup-version': info.CgroupVersion,
        'docker.storage-driver': info.Driver,
        'docker.live-restore': String(info.LiveRestoreEnabled),
      };
      const strangers = await this.#otherEnginesMarks(await engineId.read());
      if (strangers === 0) return { health: 'healthy', reason: '', attributes };
      const reason = `engine changed: ${strangers} runs belong to another engine than the one at ${config.host}`;
      return { health: 'unhealthy', reason, attributes };
    } catch (thrown) {
      return { health: 'unhealthy', reason: messageOf(thrown) };
    }
  }

  async prepare(
    spec: RunSpec<DockerParams>,
    progress: (p: Progress) => void,
    signal: AbortSignal,
  ): Promise<string> {
    const { engine, config } = this.#parts;
    return await prepareImage(engine, spec.params, { config, progress, signal });
  }

  async start(run: Run): Promise<Observation> {
    await launch(this.#launcher, run);
    return await this.observe(run);
  }

  async observe(
    run: Pick<Run, 'folder'> & { readonly spec: Pick<RunSpec, 'key'> },
  ): Promise<Observation> {
    const record = await this.#record(run.spec.key);
    const host = await this.#hostFacts();
    try {
      const container = await this.#parts.engine.inspect(this.#name(run.spec.key));
      if (container !== undefined) return observation(container, record, host);
      return unseen((await this.#isHere(record)) ? 'absent' : 'unobservable', record, host);
    } catch (thrown) {
      if (isAway(thrown)) return unseen('unobservable', record, host);
      throw thrown;
    }
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
      const rest = folders.filter((key) => !names.has(this.#name(key)));
      const id = rest.length === 0 ? undefined : await engineId.read();
      return [...found, ...(await this.#elsewhere(rest, id))];
    } catch (thrown) {
      if (!isAway(thrown)) throw thrown;
      return await this.#allUnobservable(folders);
    }
  }

  async supervise(run: Run, signal: AbortSignal): Promise<void> {
    const name = this.#name(run.spec.key);
    const scope = AbortSignal.any([signal, this.#closing.signal]);
    this.#watched.set(name, scope);
    const { engine, host } = this.#parts;
    try {
      await supervise({ engine, stopper: this.#stopper, log: host.log, run, name, signal: scope });
    } finally {
      if (this.#watched.get(name) === scope) this.#watched.delete(name);
    }
  }

  logs(run: Run): LogSource {
    return new DockerLog(this.#parts.engine, this.#name(run.spec.key));
  }

  async stop(run: Run, order: StopOrder): Promise<void> {
    await recordOrder(run.folder, order);
    const name = this.#name(run.spec.key);
    this.#stopper.arm(name, run.folder, this.#watched.get(name) ?? this.#closing.signal);
  }

  async remove(key: RunKey): Promise<void> {
    const { engine, host } = this.#parts;
    const name = this.#name(key);
    const container = await engine.inspect(name);
    if (container === undefined) {
      if (await this.#isHere(await this.#record(key))) return;
      throw new LimpetError(
        'unavailable',
        `${name} belongs to another engine than the one that answers`,
      );
    }
    if (!isOurs(this.#launcher.identity, container)) {
      host.log.warn('remove.not-ours', { container: name });
      return;
    }
    try {
      await engine.remove(container.id);
    } catch (thrown) {
      if (statusOf(thrown) !== 409) throw thrown;
      await this.#untilRemoved(container.id);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    return await Promise.resolve();
  }

  #name(key: RunKey): string {
    return containerName(this.#launcher.identity, key);
  }

  async #record(key: RunKey): Promise<RunRecord> {
    const folder = this.#parts.host.runFolder(key);
    const [mark, order, loss] = await Promise.all([
      readMark(folder),
      readOrder(folder),
      readLoss(folder),
    ]);
    return { key, mark, order, loss };
  }

  async #hostFacts(): Promise<HostFacts> {
    return {
      identity: this.#launcher.identity,
      bootId: this.#parts.host.bootId,
      engineStartedAt: await engineStartedAt(this.#parts.config.pidFile),
    };
  }

  /** False when the run was launched in another engine than the one that answers now. */
  async #isHere({ mark }: RunRecord): Promise<boolean> {
    return mark === undefined || mark.engineId === (await this.#parts.engineId.read());
  }

  async #otherEnginesMarks(engineId: string | undefined): Promise<number> {
    const { host } = this.#parts;
    const keys = await host.runFolders();
    const marks = await Promise.all(keys.map((key) => readMark(host.runFolder(key))));
    return marks.filter((mark) => mark !== undefined && mark.engineId !== engineId).length;
  }

  /** A container of the list as an observation; undefined when its labels name no run. */
  async #listed(container: ContainerSummary): Promise<Observation | undefined> {
    const key = runOf(container.labels);
    if (key === undefined) return undefined;
    const phase = phaseOf(container.status);
    const facts = { container: container.name, containerId: container.id };
    if (!isOurs(this.#launcher.identity, container))
      return { key, phase, marked: false, sameBoot: false, ours: false, facts };
    if (phase !== 'running' && phase !== 'paused')
      return await this.observe({ spec: { key }, folder: this.#parts.host.runFolder(key) });
    const seen = unseen('absent', await this.#record(key), await this.#hostFacts());
    return { ...seen, phase, specHash: specHashOf(container.labels), facts };
  }

  /** Of runs that the list does not show, those that were launched in another engine. */
  async #elsewhere(keys: readonly RunKey[], id: string | undefined): Promise<Observation[]> {
    const records = await Promise.all(keys.map((key) => this.#record(key)));
    const other = records.filter(({ mark }) => mark !== undefined && mark.engineId !== id);
    const host = await this.#hostFacts();
    return other.map((record) => unseen('unobservable', record, host));
  }

  /** The folders are shared with other executors: ours are marked by us or have params of ours. */
  async #allUnobservable(keys: readonly RunKey[]): Promise<Observation[]> {
    const host = await this.#hostFacts();
    const seen = await Promise.all(
      keys.map(async (key) => {
        const record = await this.#record(key);
        const spec = record.mark === undefined ? await this.#parts.host.readRun(key) : undefined;
        const mine = record.mark !== undefined || dockerParams.safeParse(spec?.params).success;
        return mine ? unseen('unobservable', record, host) : undefined;
      }),
    );
    return seen.filter((o) => o !== undefined);
  }

  async #untilRemoved(id: string): Promise<void> {
    const endAt = Date.now() + REMOVAL_MS;
    while ((await this.#parts.engine.inspect(id)) !== undefined) {
      if (Date.now() > endAt)
        throw new LimpetError(
          'timeout',
          `container ${id.slice(0, 12)} is still being removed after ${REMOVAL_MS} ms`,
        );
      await pause(200, this.#closing.signal);
    }
  }
}
