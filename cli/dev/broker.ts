/** The broker of `limpet dev`: nats-server when this machine has it, else the embedded one. Loopback only. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { programPath } from '../programs.ts';
import { Child } from './child.ts';
import type { ChildOptions } from './child.ts';
import type { Say } from './line-output.ts';
import { authorizationOf, writeSecretFile, type DevUsers } from './users.ts';

export type BrokerKind = 'nats-server' | 'embedded';

export interface Broker {
  readonly kind: BrokerKind;
  readonly url: string;
  readonly child: Child;
}

export type BrokerChildOptions = Pick<ChildOptions, 'say' | 'onRestart' | 'onGivenUp'> & {
  readonly out: Say;
};

export interface StartBroker {
  readonly data: string;
  readonly users: DevUsers;
  readonly child: BrokerChildOptions;
}

const READY_MS = 10_000;
const PORT_ATTEMPTS = 5;

/** Path of nats-server on PATH (or where packages put it); undefined when there is none. */
export function findNatsServer(path: string | undefined): string | undefined {
  const folders = [
    ...(path ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    '/usr/local/bin',
  ];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'nats-server'))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Throws `not-found` when nats-server is demanded and missing, `unavailable` when it does not come up. */
export async function startBroker(
  start: StartBroker,
  wanted: BrokerKind | undefined,
): Promise<Broker> {
  const natsServer = wanted === 'embedded' ? undefined : findNatsServer(process.env['PATH']);
  if (natsServer === undefined && wanted === 'nats-server')
    throw new LimpetError(
      'not-found',
      'there is no nats-server on PATH; install it (apt-get install nats-server), or use --broker embedded',
    );
  let failure: unknown;
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    const port = await freePort();
    const launch =
      natsServer === undefined ? embedded(start, port) : server(start, natsServer, port);
    try {
      return await launchBroker(launch, start, port);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

interface Launch {
  readonly kind: BrokerKind;
  readonly command: string;
  readonly args: readonly string[];
  readonly ready: RegExp;
  /** What of its output people want to see. */
  readonly shown: RegExp;
}

function server({ data, users }: StartBroker, command: string, port: number): Launch {
  const file = join(ownFolder(data), 'nats.conf');
  const listen = `# Written by \`limpet dev\` at each start.\nlisten: "127.0.0.1:${port}"`;
  writeSecretFile(file, `${listen}\n${authorizationOf(users)}`);
  const args = ['-c', file];
  return {
    kind: 'nats-server',
    command,
    args,
    ready: /Server is ready/,
    shown: /\[(ERR|FTL)\]|\[WRN\] (?!Plaintext passwords)/,
  };
}

function embedded({ data, users }: StartBroker, port: number): Launch {
  const file = join(ownFolder(data), 'users.json');
  writeSecretFile(file, JSON.stringify(Object.values(users), undefined, 2));
  return {
    kind: 'embedded',
    command: process.execPath,
    args: [programPath('dev-broker'), '--port', String(port), '--users', file],
    ready: /^listening /,
    shown: /^(?!listening )/,
  };
}

function ownFolder(data: string): string {
  const folder = join(data, 'nats');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

async function launchBroker(
  launch: Launch,
  { child: options }: StartBroker,
  port: number,
): Promise<Broker> {
  let said: string | undefined;
  let onReady: (ready: boolean) => void = () => undefined;
  const ready = new Promise<boolean>((resolve) => (onReady = resolve));
  const child = new Child({
    name: 'broker',
    command: launch.command,
    args: launch.args,
    ...options,
    onLine: (line) => {
      if (launch.ready.test(line)) onReady(true);
      if (!launch.shown.test(line)) return;
      said = line;
      options.out(line);
    },
  });
  await child.start();
  const ended = child.waitForEnd(READY_MS).then(() => false);
  if (await Promise.race([ready, ended])) {
    child.supervise();
    return { kind: launch.kind, url: `nats://127.0.0.1:${port}`, child };
  }
  child.kill();
  throw new LimpetError(
    'unavailable',
    `the broker did not come up${said === undefined ? '' : `: ${said}`}`,
  );
}

/** A loopback port that was free a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string')
    throw new LimpetError('internal', 'the system gave no port');
  return address.port;
}
