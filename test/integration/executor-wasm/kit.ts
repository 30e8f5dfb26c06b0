/** A wasm executor over real runner processes in a folder of its own, without the plugin around it. */
import { mkdirSync, readFileSync, rmSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { procProcesses } from '../../../adapters/processes/proc.ts';
import { wasmConfig, wasmParams, type WasmParams } from '../../../executors/wasm/config.ts';
import { WasmExecutor } from '../../../executors/wasm/executor.ts';
import { ModuleCache } from '../../../executors/wasm/module/cache.ts';
import { RunnerPool } from '../../../executors/wasm/pool.ts';
import type {
  ExecutorHost,
  Mount,
  Observation,
  Outcome,
  RunContext,
  RunKey,
  RunSpec,
} from '../../../plugins/sdk/index.ts';
import { eventually } from '../../kit/eventually.ts';
import type { Teardown } from '../../kit/teardown.ts';
import { tempDir } from '../../kit/temp-dir.ts';

export const DEADLINE_MS = 60_000;
export const processes = procProcesses();

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../../fixtures/wasm/${name}.wasm`, import.meta.url));
}

export interface RunWish {
  readonly module: string;
  readonly params?: Partial<WasmParams>;
  readonly mounts?: readonly Mount[];
  readonly memoryBytes?: number;
  readonly diskBytes?: number;
  readonly deadlineAt?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Desk {
  readonly executor: WasmExecutor;
  readonly pool: RunnerPool;
}

export class Bench {
  readonly #t: Teardown;
  readonly #host: ExecutorHost;
  readonly #specs = new Map<string, RunSpec>();
  readonly root: string;

  /** With the root of another bench: the same node, seen by another plugin process. */
  constructor(t: Teardown, root?: string) {
    this.#t = t;
    this.root = root ?? tempDir(t, 'lw-');
    for (const name of ['runs', 'sockets', 'state', 'logs'])
      mkdirSync(join(this.root, name), { recursive: true });
    this.#host = this.#makeHost();
    t.teardown(() => this.#killRuns());
  }

  get socketsDir(): string {
    return this.#host.socketsDir;
  }

  async open(config: Readonly<Record<string, unknown>> = {}): Promise<Desk> {
    const parsed = wasmConfig.parse({ warm: 0, idleMs: 5_000, ...config });
    const pool = new RunnerPool({
      ...parsed,
      socketsDir: this.#host.socketsDir,
      log: this.#host.log,
    });
    await pool.open();
    const cache = new ModuleCache(join(this.#host.stateDir, 'modules'));
    const executor = new WasmExecutor({ config: parsed, host: this.#host, pool, cache });
    this.#t.teardown(() => executor.close());
    return { executor, pool };
  }

  /** Makes the run's folder and spec, as the SDK would. */
  run(executionId: string, wish: RunWish): RunContext<WasmParams> {
    const key = { executionId, run: 0 };
    const folder = this.#host.runFolder(key);
    mkdirSync(folder, { recursive: true });
    const module = { source: fixture(wish.module), target: '/app.wasm', readOnly: true };
    const spec = {
      key,
      specHash: `hash-${executionId}`,
      jobId: 'j-1',
      jobName: 'job',
      kind: 'batch',
      owner: 'owner',
      token: '1/0/0',
      params: wasmParams.parse({ EntryModule: '/app.wasm', ...wish.params }),
      env: wish.env ?? {},
      mounts: [module, ...(wish.mounts ?? [])],
      limits: {
        cpuMillis: 0,
        memoryBytes: wish.memoryBytes ?? 64 * 2 ** 20,
        pids: 0,
        diskBytes: wish.diskBytes ?? 0,
      },
      network: 'none',
      deadlineAt: wish.deadlineAt ?? 0,
      digest: '',
      stopGraceMs: 1000,
    };
    this.#specs.set(folder, spec);
    return { spec, folder };
  }

  #makeHost(): ExecutorHost {
    const folder = (key: RunKey): string =>
      join(this.root, 'runs', key.executionId, String(key.run));
    const quiet = (): void => undefined;
    return {
      nodeId: 'n-test',
      instanceId: 'i-test',
      pluginInstance: 'p-test',
      runsDir: join(this.root, 'runs'),
      logsDir: join(this.root, 'logs'),
      stateDir: join(this.root, 'state'),
      socketsDir: join(this.root, 'sockets'),
      bootId: processes.bootId(),
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      processes,
      reach: quiet,
      wake: quiet,
      runFolder: folder,
      readRun: async (key) => this.#specs.get(folder(key)),
      runFolders: async () => Array.from(this.#specs.values(), (spec) => spec.key),
    };
  }

  #killRuns(): void {
    for (const folder of this.#specs.keys()) {
      const holder = holderOf(folder);
      if (holder !== undefined) processes.signal(holder, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** Who claimed the run, out of its claim file. */
export function holderOf(folder: string) {
  const file = join(folder, 'claim');
  if (!existsSync(file)) return undefined;
  const [pid, startTime, bootId] = readFileSync(file, 'utf8').trim().split(/\s/);
  return { pid: Number(pid), startTime: startTime ?? '', bootId: bootId ?? '' };
}

export function stdoutOf(run: RunContext): string {
  return readFileSync(join(run.folder, 'stdout'), 'utf8');
}

export function stderrOf(run: RunContext): string {
  return readFileSync(join(run.folder, 'stderr'), 'utf8');
}

/** Waits for the end by polling what the run folder shows. */
export async function endOf(desk: Desk, run: RunContext<WasmParams>): Promise<Observation> {
  return eventually(
    `the end of ${run.spec.key.executionId}`,
    async () => {
      const seen = await desk.executor.observe(run);
      return seen.phase === 'exited' ? seen : undefined;
    },
    DEADLINE_MS,
  );
}

/** Prepares, starts and waits for the end. */
export async function complete(
  desk: Desk,
  run: RunContext<WasmParams>,
): Promise<Outcome | undefined> {
  await desk.executor.prepare(run.spec, () => undefined);
  await desk.executor.start(run);
  await desk.executor.supervise(run, AbortSignal.timeout(DEADLINE_MS));
  return (await desk.executor.observe(run)).outcome;
}
