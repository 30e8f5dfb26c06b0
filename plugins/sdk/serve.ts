/**
 * Serves one executor as a go-plugin process (`../proto/handshake.ts`), until it is told to end or nobody needs it.
 *
 *   cookie -> app version -> socket (umask 077) -> services -> handshake line -> quiet stdout, logs on stderr
 *
 * SIGINT and SIGHUP are ignored: a terminal's Ctrl-C must not end what outlives the agent. SIGTERM and Controller.Shutdown
 * end the plugin in order and never touch a run. Without client and without run it ends itself after ten minutes.
 */
import { unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { envFaults } from '../../adapters/faults/env-faults.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { Executor } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { addService, SERVER_OPTIONS } from '../proto/grpc-server.ts';
import {
  APP_PROTOCOL_VERSION,
  COOKIE_KEY,
  COOKIE_VALUE,
  ENV_CLIENT_CERT,
  ENV_INSTANCE,
  ENV_MULTIPLEX,
  ENV_PROTOCOL_VERSIONS,
  ENV_SOCKET_DIR,
  formatHandshake,
  MAX_SOCKET_PATH_BYTES,
  negotiateVersion,
} from '../proto/handshake.ts';
import { Activity } from './activity.ts';
import { activityInterceptor, addBaseServices } from './base-services.ts';
import { ExecutorService } from './executor-service.ts';
import { within } from './pause.ts';
import { pluginLog, redirectConsole } from './plugin-log.ts';
import type { ExecutorDefinition, PluginLog } from './types.ts';

export interface ServeOptions {
  /** Without client and without run for this long the plugin ends itself; 10 minutes. */
  readonly orphanAfterMs?: number;
}

const ORPHAN_AFTER_MS = 10 * 60_000;
/** Lets the answer to Shutdown reach the host. */
const ANSWER_FIRST_MS = 10;
const CLOSE_BOUND_MS = 5000;

/** Resolves when the plugin serves; the process then ends by itself. Exits with 1 and a text for people when it cannot. */
export async function serveExecutor<Config, Params>(
  definition: ExecutorDefinition<Config, Params>,
  options: ServeOptions = {},
): Promise<void> {
  const { env } = process;
  const socket = join(
    env[ENV_SOCKET_DIR] ?? env['TMPDIR'] ?? tmpdir(),
    `plugin-${process.pid}.sock`,
  );
  const refusal = refuse(env, socket, definition.name);
  if (refusal !== undefined) {
    process.stderr.write(`${refusal}\n`);
    process.exit(1);
  }
  const log = pluginLog(definition.name);
  const activity = new Activity();
  const service = new ExecutorService(definition, {
    log,
    faults: envFaults(env),
    processes: procProcesses(),
    pluginInstance: env[ENV_INSTANCE] ?? '',
  });
  const server = new grpc.Server({
    ...SERVER_OPTIONS,
    interceptors: [activityInterceptor(activity)],
  });
  const end = once(() => void endProcess({ server, service, socket, log }));
  addBaseServices(server, { activity, shutdown: () => setTimeout(end, ANSWER_FIRST_MS) });
  addService(server, Executor, service.methods());
  ignoreTerminal(end);
  await listen(server, socket);
  sayHandshake(env, socket);
  redirectConsole(log);
  watchOrphan(() => service.live === 0 && activity.idleMs, options.orphanAfterMs, end);
  log.info('plugin.serving', { name: definition.name, version: definition.version, socket });
}

/** Why this process cannot be a plugin, for people; undefined when it can. */
function refuse(env: NodeJS.ProcessEnv, socket: string, name: string): string | undefined {
  if (env[COOKIE_KEY] !== COOKIE_VALUE)
    return `This is the '${name}' executor plugin of Limpet. It is started by the Limpet agent; to use it, name it in the agent's config.`;
  if ((env[ENV_CLIENT_CERT] ?? '') !== '')
    return `The '${name}' plugin does not speak AutoMTLS, which excludes reattaching; start it without ${ENV_CLIENT_CERT}.`;
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES)
    return `The socket path ${socket} is longer than ${MAX_SOCKET_PATH_BYTES} bytes; choose a shorter ${ENV_SOCKET_DIR}.`;
  return undefined;
}

async function listen(server: grpc.Server, socket: string): Promise<void> {
  const previous = process.umask(0o077);
  try {
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      ),
    );
  } finally {
    process.umask(previous);
  }
}

function sayHandshake(env: NodeJS.ProcessEnv, socket: string): void {
  const appVersion = negotiateVersion(env[ENV_PROTOCOL_VERSIONS], [APP_PROTOCOL_VERSION]);
  const multiplex = (env[ENV_MULTIPLEX] ?? '') !== '';
  writeSync(1, formatHandshake({ appVersion, network: 'unix', address: socket }, multiplex));
}

function ignoreTerminal(end: () => void): void {
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  process.on('SIGTERM', end);
}

/** `idle` answers how long nobody has needed this process, false while somebody does. */
function watchOrphan(
  idle: () => number | false,
  afterMs: number = ORPHAN_AFTER_MS,
  end: () => void,
): void {
  const look = () => {
    const idleMs = idle();
    if (idleMs !== false && idleMs >= afterMs) end();
  };
  setInterval(look, Math.max(50, Math.min(afterMs / 4, 30_000))).unref();
}

interface Ending {
  readonly server: grpc.Server;
  readonly service: { close(): Promise<void> };
  readonly socket: string;
  readonly log: PluginLog;
}

async function endProcess({ server, service, socket, log }: Ending): Promise<void> {
  log.info('plugin.ending');
  await within(CLOSE_BOUND_MS, service.close());
  server.forceShutdown();
  try {
    unlinkSync(socket);
  } catch {
    // The server removes it by itself when it can.
  }
  process.exit(0);
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
