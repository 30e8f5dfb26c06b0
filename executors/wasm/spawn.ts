/** Starts a runner in its own session; it needs nothing of us any more once it listens. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LimpetError } from '../../plugins/sdk/index.ts';
import { RunnerClient } from './client.ts';
import { pagesOf } from './module/pages.ts';
import { siblingProgram } from './programs.ts';
import type { RunnerSettings } from './watch.ts';

const READY_MS = 15_000;
const LOOK_MS = 10;

export interface SpawnOptions {
  readonly socketsDir: string;
  readonly idleMs: number;
  readonly maxMemoryBytes: number;
  readonly runsPerRunner: number;
}

export const RUNNER_SOCKET = /^w-[0-9a-f]{8}\.sock$/;

/** Resolves with a connection to a warm, idle runner. Throws `plugin-failed`. */
export async function spawnRunner(options: SpawnOptions): Promise<RunnerClient> {
  const socketPath = path.join(options.socketsDir, `w-${randomBytes(4).toString('hex')}.sock`);
  const { file, loader } = siblingProgram('runner');
  const settings: RunnerSettings = {
    socket: socketPath,
    idleMs: options.idleMs,
    maxRuns: options.runsPerRunner,
  };
  const args = [
    '--disable-warning=ExperimentalWarning',
    `--wasm-max-mem-pages=${pagesOf(options.maxMemoryBytes)}`,
    ...(loader === undefined ? [] : ['--import', loader.flag]),
    fileURLToPath(file),
    JSON.stringify(settings),
  ];
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
    env: { TZ: 'UTC' },
  });
  child.unref();
  let gone: string | undefined;
  child.once('error', (error) => (gone = error.message));
  child.once('exit', (code, signal) => (gone = `it ended with ${signal ?? `code ${code}`}`));
  const until = performance.now() + READY_MS;
  while (gone === undefined && performance.now() < until) {
    const client = existsSync(socketPath)
      ? await RunnerClient.connect(socketPath).catch(() => undefined)
      : undefined;
    if (client !== undefined) return client;
    await pause(LOOK_MS);
  }
  if (gone === undefined) child.kill('SIGKILL');
  throw new LimpetError(
    'plugin-failed',
    `a wasm runner did not get ready: ${gone ?? `silent for ${READY_MS} ms`}`,
  );
}
