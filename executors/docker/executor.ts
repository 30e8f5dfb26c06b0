/** The docker executor: one container per run, held by the engine. */
import { setMaxListeners } from 'node:events';
import {
  EitherSignal,
  LimpetError,
  messageOf,
  orderLease,
  orderStop,
  pause,
  type AcceptedEngine,
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
import { pidFileOf, type DockerConfig } from './config.ts';
import type { EngineId } from './engine-id.ts';
import { isAway, statusOf } from './engine-error.ts';
import type { Engine } from './engine.ts';
import { ForeignRuns } from './foreign-runs.ts';
import { sweepImages } from './image-sweep.ts';
import { isOurs } from './labels.ts';
import { launch, type Launcher } from './launch.ts';
import { Limit } from './limit.ts';
import { DockerLog, endedContainer } from './log-source.ts';
import { isFinal } from './observe.ts';
import { Observer } from './observer.ts';
import type { DockerParams } from './params.ts';
import { prepareImage } from './prepare.ts';
import { PulledImages } from './pulled-images.ts';
import { rebuiltSpec } from './rebuild.ts';
import { Renewals } from './renewals.ts';
import { giveUp } from './run-files.ts';
import { Stopper, type Held } from './stopper.ts';
import { supervise } from './supervise.ts';

type Run = RunContext<DockerParams>;

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
  readonly #observer: Observer;
  readonly #launcher: Launcher;
  readonly #stopper: Stopper;
  readonly #foreign = new ForeignRuns((engineId) => this.#observer.elsewhere(engineId));
  readonly #closing = new AbortController();
  /** This node is given up: the engine is not named again. */
  #left = false;
  /** Runs that are supervised, by container name: an order is carried out for as long. */
  readonly #watched = new Map<string, AbortSignal>();
  readonly #renewals = new Renewals();

  constructor(parts: DockerExecutorParts) {
    const { engine, engineId, config, host } = parts;
    const identity = { nodeId: host.nodeId, instanceId: host.instanceId };
    const starts = new Limit(parts.startConcurrency);
    this.#parts = parts;
    this.#observer = new Observer({ engine, engineId, host, identity, pidFile: pidFileOf(config) });
    const named = async () => (await engineId.read()) ?? (await this.engineId());
    const closing = this.#closing.signal;
    // One for each run is no leak.
    setMaxListeners(0, closing);
    const engineProcess = async () => (await this.#observer.engineProcess())?.id;
    const names = { engineId: named, engineProcess };
    const images = new PulledImages({
      folder: host.stateDir,
      log: host.log,
      keepUnusedMs: config.images.keepUnusedMs,
    });
    const source = { engine, engineId: named, images };
    sweepImages({ engine, engineId, images, config: config.images, log: host.log }, closing);
    this.#launcher = { engine, source, ...names, identity, config, host, starts, closing };
    this.#stopper = new Stopper(engine, host.log);
  }

  async engineId(): Promise<string | undefined> {
    try {
      const { engineId } = this.#parts;
      const present = await engineId.read();
      const elsewhere = await this.#observer.elsewhere(present);
      return elsewhere.length > 0 || this.#left ? present : await engineId.ensure();
    } catch (thrown) {
      if (isAway(thrown)) return undefined;
      throw thrown;
    }
  }

  async leave(order: { readonly dryRun: boolean }): Promise<readonly string[]> {
    this.#left ||= !order.dryRun;
    const volume = await this.#parts.engineId.leave(order);
    return volume === undefined ? [] : [`volume ${volume}`];
  }

  async engineChanged(): Promise<boolean> {
    try {
      const elsewhere = await this.#observer.elsewhere(await this.#parts.engineId.read());
      return elsewhere.length > 0;
    } catch (thrown) {
      if (isAway(thrown)) return false;
      throw thrown;
    }
  }

  async acceptEngine(): Promise<AcceptedEngine> {
    const { engineId, host } = this.#parts;
    const id = await engineId.ensure();
    if (id === undefined) throw new LimpetError('engine-failed', 'the engine takes no id of ours');
    const givenUp = await this.#observer.elsewhere(id);
    for (const key of givenUp) await giveUp(host.runFolder(key));
    host.log.warn('engine.accepted', { engine: id, givenUp: givenUp.length });
    return { engineId: id, givenUp };
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
      const length = await this.#foreign.count(await engineId.read());
      if (length === 0) return { health: 'healthy', reason: '', attributes };
      const reason = `engine changed: ${length === 1 ? '1 run belongs' : `${length} runs belong`} to another engine than the one at ${config.host}; bring that one back, or give it up with: limpet agent engine accept docker`;
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
    const { config } = this.#parts;
    return prepareImage(this.#launcher.source, spec.params, { config, progress, signal });
  }

  async start(run: Run): Promise<Observation> {
    await launch(this.#launcher, run);
    return this.observe(run);
  }

  observe(run: Run): Promise<Observation> {
    return this.#observer.observe(run.spec.key);
  }

  list(): Promise<readonly Observation[]> {
    return this.#observer.list();
  }

  async supervise(
    run: Run,
    signal: AbortSignal,
    seen?: Observation,
  ): Promise<Observation | undefined> {
    if (seen !== undefined && endedContainer(seen) !== undefined && isFinal(seen)) return seen;
    const { key } = run.spec;
    const name = this.#observer.name(key);
    using either = new EitherSignal(signal, this.#closing.signal);
    const scope = either.signal;
    this.#watched.set(name, scope);
    this.#observer.follow(name);
    const { engine, host } = this.#parts;
    const held = this.#held(run);
    try {
      const { log, processes } = host;
      const ended = await supervise({
        ...{ engine, stopper: this.#stopper, log, processes, run, held },
        renewed: () => this.#renewals.next(name),
        signal: scope,
      });
      const end = ended && (await this.#observer.observed(key, ended));
      return end !== undefined && isFinal(end) ? end : undefined;
    } finally {
      if (this.#watched.get(name) === scope) {
        this.#watched.delete(name);
        this.#observer.unfollow(name);
        this.#renewals.ring(name);
      }
    }
  }

  logs(run: Run, seen?: Observation): LogSource {
    const { key } = run.spec;
    return new DockerLog({
      engine: this.#parts.engine,
      held: this.#held(run),
      ended: endedContainer(seen),
      restart: (container, told) => this.#observer.restart(key, container, told),
    });
  }

  async stop(run: Run, order: StopOrder): Promise<void> {
    await orderStop(run.folder, order);
    const held = this.#held(run);
    this.#stopper.arm(held, this.#watched.get(held.name) ?? this.#closing.signal);
  }

  async rebuild(key: RunKey): Promise<RunSpec<DockerParams> | undefined> {
    const container = await this.#observer.container(key);
    return container && rebuiltSpec(this.#launcher.identity, key, container);
  }

  /** Kept by this plugin, which looks at the file. */
  async renew(run: Run, untilMs: number): Promise<void> {
    await orderLease(run, untilMs);
    this.#renewals.ring(this.#observer.name(run.spec.key));
  }

  async remove(key: RunKey): Promise<void> {
    const { engine, host } = this.#parts;
    const container = await this.#observer.container(key);
    if (container === undefined) return;
    if (!isOurs(this.#launcher.identity, container)) {
      host.log.warn('remove.not-ours', { container: container.name });
      return;
    }
    try {
      await engine.remove(container.id);
    } catch (thrown) {
      if (statusOf(thrown) !== 409) throw thrown;
      await this.#untilRemoved(container.id);
    }
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  #held({ spec: { key }, folder }: Run): Held {
    const look = () => this.#observer.container(key);
    return { name: this.#observer.name(key), folder, look };
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
