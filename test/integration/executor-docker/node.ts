/** An executor over a folder, without the SDK: what a plugin process would hold. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { procProcesses } from '../../../adapters/processes/proc.ts';
import { dockerConfig } from '../../../executors/docker/config.ts';
import { dockerExecutor } from '../../../executors/docker/definition.ts';
import { dockerParams, type DockerParams } from '../../../executors/docker/params.ts';
import type {
  Executor,
  ExecutorHost,
  LogChunk,
  RunContext,
  RunKey,
  RunSpec,
} from '../../../plugins/sdk/types.ts';

export interface NodeFacts {
  readonly folder: string;
  readonly nodeId: string;
  readonly instanceId: string;
}

export function newNode(folder: string): NodeFacts {
  return { folder, nodeId: 'n-test', instanceId: randomUUID() };
}

const quiet = () => undefined;

export function hostOf(node: NodeFacts, bootId = 'boot-1'): ExecutorHost {
  const runsDir = join(node.folder, 'runs');
  mkdirSync(runsDir, { recursive: true });
  const runFolder = (key: RunKey) => join(runsDir, key.executionId, String(key.run));
  return {
    nodeId: node.nodeId,
    instanceId: node.instanceId,
    pluginInstance: 'p-1',
    runsDir,
    logsDir: join(node.folder, 'logs'),
    stateDir: join(node.folder, 'state'),
    socketsDir: join(node.folder, 'sockets'),
    bootId,
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    runFolder,
    readRun: (key) =>
      Promise.resolve(JSON.parse(readFileSync(join(runFolder(key), 'run.json'), 'utf8'))),
    runFolders: () =>
      Promise.resolve(
        readdirSync(runsDir).flatMap((executionId) =>
          readdirSync(join(runsDir, executionId)).map((run) => ({ executionId, run: Number(run) })),
        ),
      ),
    wake: quiet,
    processes: procProcesses(),
    reach: quiet,
  };
}

export interface PluginOptions {
  readonly bootId?: string;
  readonly config?: Readonly<Record<string, unknown>>;
}

export async function openPlugin(
  node: NodeFacts,
  host: string,
  options: PluginOptions = {},
): Promise<Executor<DockerParams>> {
  const config = dockerConfig.parse({
    host,
    pidFile: '/nonexistent',
    pullPolicy: 'never',
    ...options.config,
  });
  return dockerExecutor.create(config, hostOf(node, options.bootId));
}

export type SpecChange = Partial<Omit<RunSpec<DockerParams>, 'params'>> & {
  readonly params?: object;
};

/** `sh -c script` in the fixture image, with its run folder made. */
export function newRun(
  node: NodeFacts,
  script: string,
  change: SpecChange = {},
): RunContext<DockerParams> {
  const key = change.key ?? { executionId: `e-${randomUUID()}`, run: 0 };
  const spec: RunSpec<DockerParams> = {
    specHash: 'hash-1',
    jobId: 'j-1',
    jobName: 'test',
    kind: 'batch',
    owner: 'r-1',
    token: '1.0.0',
    env: {},
    mounts: [],
    limits: { cpuMillis: 0, memoryBytes: 0, pids: 0, diskBytes: 0 },
    network: 'none',
    deadlineAt: 0,
    digest: '',
    stopGraceMs: 1_000,
    ...change,
    key,
    params: dockerParams.parse({
      Image: 'fixture/busybox:1',
      Parameters: ['sh', '-c', script],
      ...change.params,
    }),
  };
  const folder = hostOf(node).runFolder(key);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run.json'), JSON.stringify(spec));
  return { spec, folder };
}

/** Waits for the run's end, at most so long, and says what is there then. */
export async function ended(
  plugin: Executor<DockerParams>,
  run: RunContext<DockerParams>,
  ms = 30_000,
) {
  await plugin.supervise(run, AbortSignal.timeout(ms));
  return plugin.observe(run);
}

export interface Line {
  readonly stream: LogChunk['stream'];
  readonly text: string;
  readonly cursor: string;
}

/** All that follows `cursor`, to the end of the run's log. */
export async function readFrom(
  plugin: Executor<DockerParams>,
  run: RunContext<DockerParams>,
  cursor: string,
): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const chunk of plugin.logs(run).read(cursor, AbortSignal.timeout(60_000)))
    lines.push({ ...chunk, text: Buffer.from(chunk.data).toString('latin1') });
  return lines;
}

export function textOf(lines: readonly Line[], stream: Line['stream']): string {
  return lines
    .filter((line) => line.stream === stream)
    .map((line) => line.text)
    .join('');
}

export async function readLog(plugin: Executor<DockerParams>, run: RunContext<DockerParams>) {
  const lines = await readFrom(plugin, run, '');
  return {
    stdout: textOf(lines, 'stdout'),
    stderr: textOf(lines, 'stderr'),
    gaps: lines.filter((line) => line.stream === 'gap').length,
  };
}
