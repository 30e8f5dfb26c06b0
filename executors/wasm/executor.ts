/**
 * The wasm executor. No guest code runs in this process: a run is held by a runner process of its own (runner.ts), which
 * keeps claim, deadline, limits and exit record, and goes on when the plugin is gone. Everything here is found again from
 * the run folders.
 */
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  aborted,
  isLive,
  LimpetError,
  messageOf,
  orderLease,
  orderStop,
  pause,
  rawSource,
  readClaim,
  readExit,
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
import { assignmentOf, entryOf, memoryPagesOf, readEntryModule } from './assignment.ts';
import { wasmParams, type WasmConfig, type WasmParams } from './config.ts';
import { Links } from './links.ts';
import type { ModuleCache } from './module/cache.ts';
import { claimedBy, endedOf, observeRun, unreadableSpec } from './observe.ts';
import type { RunnerPool } from './pool.ts';
import type { Assignment } from './protocol.ts';
import { hasRecord, orderKill, readSocket, RUN_FILE, type Identity } from './record.ts';
import { findStrays, isSame, observeStray, writeStray, type Stray } from './strays.ts';

const ASSIGN_MS = 10_000;
const ASSIGN_ATTEMPTS = 3;
/** How often a run is looked at whose runner cannot be reached by its socket. */
const LOOK_MS = 100;
/** A runner that has not carried out a stop order by then is killed from here. */
const ESCALATE_MS = 2_000;
const REMOVE_MS = 2_000;
/** Of a run whose folder is gone: what its runner was given is not asked for again. */
const UNKNOWN_MODULE = '/';

export interface WasmExecutorOptions {
  readonly config: WasmConfig;
  readonly host: ExecutorHost;
  readonly pool: RunnerPool;
  readonly cache: ModuleCache;
}

type Run = RunContext<WasmParams>;

export class WasmExecutor implements Executor<WasmParams> {
  readonly #options: WasmExecutorOptions;
  readonly #links: Links;
  readonly #closing = new AbortController();

  constructor(options: WasmExecutorOptions) {
    this.#options = options;
    this.#links = new Links((runner) => {
      options.pool.give(runner);
    });
  }

  async fingerprint(): Promise<Fingerprint> {
    const attributes = {
      'wasm.runtime': 'extism 1.0.3',
      'wasm.wasi': 'preview1',
      'wasm.node': process.version,
    };
    return { health: 'healthy', reason: '', attributes };
  }

  async prepare(spec: RunSpec<WasmParams>, progress: (p: Progress) => void): Promise<string> {
    if (spec.params.ImportModules.length > 0)
      throw new LimpetError(
        'refused',
        'ImportModules is not supported yet; link the modules into the entry module',
      );
    const { config, cache } = this.#options;
    const pages = memoryPagesOf(spec, config);
    const bytes = readEntryModule(spec.mounts, spec.params.EntryModule, config.maxModuleBytes);
    progress({
      message: 'module read',
      kind: 'module',
      item: spec.params.EntryModule,
      currentBytes: bytes.byteLength,
      totalBytes: bytes.byteLength,
    });
    return (await cache.put(bytes, entryOf(spec.params), pages)).digest;
  }

  async start(run: Run): Promise<Observation> {
    const before = await observeRun(run, this.#options.host.processes);
    if (before.marked) return before;
    const assignment = assignmentOf(run, await this.#modulePath(run.spec), this.#options.config);
    for (let attempt = 0; attempt < ASSIGN_ATTEMPTS; attempt++) {
      const seen = await this.#launch(run, assignment);
      if (seen !== undefined) return seen;
    }
    throw new LimpetError(
      'plugin-failed',
      `no wasm runner took the run in ${ASSIGN_ATTEMPTS} attempts`,
    );
  }

  async observe(run: RunContext): Promise<Observation> {
    const seen = await observeRun(run, this.#options.host.processes);
    if (seen.marked) return seen;
    const stray = await this.#stray(run.spec.key);
    return stray === undefined ? seen : observeStray(stray, run.spec.specHash);
  }

  async rebuild(key: RunKey): Promise<RunSpec<WasmParams> | undefined> {
    const stray = await this.#stray(key);
    if (stray === undefined) return undefined;
    await writeStray(this.#options.host.runFolder(key), stray);
    return { ...unreadableSpec(key), params: wasmParams.parse({ EntryModule: UNKNOWN_MODULE }) };
  }

  async list(): Promise<readonly Observation[]> {
    const { host } = this.#options;
    const keys = await host.runFolders();
    const seen = await Promise.all(
      keys.map(async (key) => {
        const spec = (await host.readRun(key).catch(() => undefined)) ?? unreadableSpec(key);
        return this.observe({ spec, folder: host.runFolder(key) });
      }),
    );
    const folders = keys.map((key) => host.runFolder(key));
    // What has held a run that is over may hold another one.
    const strays = await this.#strays(folders.filter((one) => !hasRecord(one)).map(readSocket));
    return [...seen.filter((one) => one.marked), ...strays.map((one) => observeStray(one, ''))];
  }

  async supervise(
    run: Run,
    signal: AbortSignal,
    seen?: Observation,
  ): Promise<Observation | undefined> {
    const over = aborted(signal);
    while (!signal.aborted) {
      // Connected to the runner that holds the run, there is nothing to look at before it speaks.
      const known = this.#links.get(run.folder);
      if (known === undefined && !isLive(await this.observe(run))) break;
      const link = known ?? (await this.#links.open(run));
      if (link === undefined) await pause(LOOK_MS, signal);
      else await Promise.race([link.run.over, over]);
      if (link?.run.hasEnded === true) return endedOf(seen, link.run.record, run.folder);
    }
    this.#links.hangUp(run.folder);
    return undefined;
  }

  logs(run: Run): LogSource {
    return rawSource({
      folder: run.folder,
      hasEnded: async () => {
        // The runner itself says when it ends, or hangs up.
        if (this.#links.get(run.folder)?.run.hasEnded === false) return false;
        if (readExit(run.folder) !== undefined) return true;
        const seen = await this.observe(run);
        return seen.marked && !isLive(seen);
      },
    });
  }

  async stop(run: Run, order: StopOrder): Promise<void> {
    await orderStop(run.folder, order);
    await this.#nudge(run);
    this.#escalate(run).catch((thrown: unknown) => {
      this.#options.host.log.warn('wasm.stop-failed', {
        ...run.spec.key,
        reason: messageOf(thrown),
      });
    });
  }

  async renew(run: Run, untilMs: number): Promise<void> {
    await orderLease(run, untilMs);
    await this.#nudge(run);
  }

  async remove(key: RunKey): Promise<void> {
    const { host } = this.#options;
    const folder = host.runFolder(key);
    this.#links.hangUp(folder);
    // It has ended by itself, and whatever its runner does now is none of its business.
    if (hasRecord(folder)) return;
    const claim = readClaim(folder);
    if (claim === undefined) {
      const stray = await this.#stray(key);
      if (stray !== undefined) await this.#kill(stray.identity, stray.socket);
    } else if (orderKill(folder)) await this.#kill(claim.holder, readSocket(folder));
  }

  async #kill(holder: Identity | undefined, socket: string | undefined): Promise<void> {
    const { processes, socketsDir } = this.#options.host;
    if (holder !== undefined) processes.signal(holder, 'SIGKILL');
    const until = performance.now() + REMOVE_MS;
    while (holder !== undefined && processes.look(holder) === 'alive' && performance.now() < until)
      await delay(5);
    if (socket !== undefined && path.dirname(socket) === socketsDir)
      await fs.rm(socket, { force: true });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#links.close();
    await this.#options.pool.close();
  }

  /** Asks those runners only that are not known to hold another run, or none. */
  #strays(named: readonly (string | undefined)[] = []): Promise<readonly Stray[]> {
    const { host, pool } = this.#options;
    const known = new Set(named);
    for (const [folder, { runner }] of this.#links.all())
      if (existsSync(path.join(folder, RUN_FILE.claim))) known.add(runner.socketPath);
    return findStrays(host, (socket) => known.has(socket) || pool.has(socket));
  }

  async #stray(key: RunKey): Promise<Stray | undefined> {
    return (await this.#strays()).find(({ held }) => isSame(held, key));
  }

  async #modulePath(spec: RunSpec<WasmParams>): Promise<string> {
    const { cache, config } = this.#options;
    const pages = memoryPagesOf(spec, config);
    const cached = cache.find(spec.digest, entryOf(spec.params), pages);
    if (cached !== undefined) return cached;
    const bytes = readEntryModule(spec.mounts, spec.params.EntryModule, config.maxModuleBytes);
    const again = await cache.put(bytes, entryOf(spec.params), pages);
    if (spec.digest === '' || again.digest === spec.digest) return again.path;
    throw new LimpetError(
      'refused',
      `the module has changed since it was prepared: ${again.digest}, not ${spec.digest}`,
    );
  }

  /** One attempt; undefined when the runner did not take the run and another one may. */
  async #launch(run: Run, assignment: Assignment): Promise<Observation | undefined> {
    const runner = await this.#options.pool.take(run.spec.owner);
    const result = await runner.assign(assignment, ASSIGN_MS).catch(() => undefined);
    if (result?.type === 'claimed') {
      this.#options.host.reach('plugin.start.marked');
      this.#links.keep(run.folder, runner);
      return claimedBy(runner.hello.identity, run.spec, result.startedAt);
    }
    // A silent runner may still be about to claim: it must not, nor linger.
    if (result === undefined) this.#options.host.processes.signal(runner.hello.identity, 'SIGKILL');
    if (result?.why === 'exists' || result?.why === 'failed') runner.send({ type: 'retire' });
    else runner.close();
    const seen = await this.observe(run);
    if (seen.marked) return seen;
    if (result?.why === 'failed')
      throw new LimpetError(
        'plugin-failed',
        `the wasm runner cannot claim the run: ${result.message}`,
      );
    return undefined;
  }

  /** Makes the runner read its orders now; without a connection it does so by itself within a second. */
  async #nudge(run: Run): Promise<void> {
    (await this.#links.open(run))?.runner.send({ type: 'orders' });
  }

  async #escalate(run: Run): Promise<void> {
    const gone = await delay(ESCALATE_MS, true, { signal: this.#closing.signal }).catch(
      () => false,
    );
    const holder = gone && !hasRecord(run.folder) ? readClaim(run.folder)?.holder : undefined;
    if (holder !== undefined) this.#options.host.processes.signal(holder, 'SIGKILL');
  }
}
