/**
 * Starts a plugin so that it outlives the agent: its own session, stdin null, stdout and stderr straight into files (never
 * pipes, which would break with the agent), no other descriptor of ours, and an environment that is listed, not inherited.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { sealedStdio } from '../../adapters/processes/sealed-stdio.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import {
  APP_PROTOCOL_VERSION,
  COOKIE_KEY,
  COOKIE_VALUE,
  ENV_INSTANCE,
  ENV_PROTOCOL_VERSIONS,
  ENV_SOCKET_DIR,
} from '../../plugins/proto/handshake.ts';
import type { PluginSpec } from './port.ts';
import { makeProcessDir, outFile } from './run-dir.ts';

const ALWAYS_PASSED = ['PATH', 'HOME', 'LANG', 'TZ'];

export interface SpawnOrder {
  readonly spec: PluginSpec;
  readonly instance: string;
  /** Made here. */
  readonly folder: string;
  /** Appended to. */
  readonly logFile: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

export interface SpawnedPlugin {
  readonly pid: number;
  /** How it ended, for people; undefined while it lives. */
  ended(): string | undefined;
  onEnd(listener: (how: string) => void): void;
}

/** Resolves when the program is running. Errors: `plugin-failed`. */
export async function spawnPlugin(order: SpawnOrder): Promise<SpawnedPlugin> {
  await makeProcessDir(order.folder, order.instance);
  const out = await open(outFile(order.folder), 'a', 0o600);
  const log = await open(order.logFile, 'a', 0o600);
  const devNull = await open('/dev/null', 'r+');
  try {
    const [program = '', ...args] = order.spec.command;
    const child = spawn(program, args, {
      cwd: '/',
      detached: true,
      stdio: sealedStdio({ stdout: out.fd, stderr: log.fd, devNull: devNull.fd }),
      env: pluginEnvironment(order),
    });
    child.unref();
    return await started(order.spec.name, child);
  } finally {
    await out.close();
    await log.close();
    await devNull.close();
  }
}

export function pluginEnvironment(
  order: Pick<SpawnOrder, 'spec' | 'instance' | 'folder' | 'env'>,
): NodeJS.ProcessEnv {
  const names = [...ALWAYS_PASSED, ...order.spec.passEnv];
  const passed = names.flatMap((name) => {
    const value = order.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(passed),
    TMPDIR: order.folder,
    [ENV_SOCKET_DIR]: order.folder,
    [ENV_PROTOCOL_VERSIONS]: String(APP_PROTOCOL_VERSION),
    [ENV_INSTANCE]: order.instance,
    [COOKIE_KEY]: COOKIE_VALUE,
  };
}

function started(name: string, child: ChildProcess): Promise<SpawnedPlugin> {
  let end: string | undefined;
  const listeners: ((how: string) => void)[] = [];
  child.once('exit', (code, signal) => {
    end = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    for (const listener of listeners) listener(end);
  });
  return new Promise((resolve, reject) => {
    child.on('error', (error) => {
      const message = `plugin ${name} cannot be started: ${messageOf(error)}`;
      reject(new LimpetError('plugin-failed', message, { cause: error }));
    });
    child.once('spawn', () => {
      if (child.pid === undefined) return;
      resolve({
        pid: child.pid,
        ended: () => end,
        onEnd: (listener) => void (end === undefined ? listeners.push(listener) : listener(end)),
      });
    });
  });
}
