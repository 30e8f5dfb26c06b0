/** `requester --init`: the words around `initAuthority`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { initAuthority, type InitOptions, type InitReport } from './init.ts';
import { filesOf } from './layout.ts';

const USAGE = `usage: requester --init --folder DIR [--host NAME]... [--tls | --no-tls] [--port 4222]
  --folder DIR       where the keys, credentials and nats-server.conf are put
  --host NAME        name or address by which other hosts reach the broker; without one it listens on loopback
  --tls              the broker speaks TLS, with a certificate authority made here; the default with --host
  --nats-data DIR    where the broker keeps the newest claims; default: nats in the folder
  --dry-run          only print`;

const OPTIONS = {
  folder: { type: 'string' },
  host: { type: 'string', multiple: true },
  tls: { type: 'boolean' },
  'no-tls': { type: 'boolean' },
  port: { type: 'string' },
  'nats-data': { type: 'string' },
  'dry-run': { type: 'boolean' },
} as const;

/** Prints what was made. Errors: `invalid-argument` and those of `initAuthority`. */
export async function runInit(args: readonly string[]): Promise<void> {
  const options = optionsOf(args);
  const report = await initAuthority(options);
  process.stdout.write(`${textOf(options, report)}\n`);
}

function optionsOf(args: readonly string[]): InitOptions {
  const { values } = read(args);
  const { folder, host: hosts = [], port = '4222', tls, 'no-tls': noTls } = values;
  if (folder === undefined)
    throw new LimpetError('invalid-argument', `--folder is missing\n${USAGE}`);
  if (tls === true && noTls === true)
    throw new LimpetError('invalid-argument', '--tls and --no-tls exclude each other');
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    throw new LimpetError('invalid-argument', `--port is '${port}'; expected 1 to 65535`);
  const brokerData = values['nats-data'];
  return {
    folder: resolve(folder),
    hosts,
    tls: tls ?? (noTls === true ? false : hosts.length > 0),
    port: Number(port),
    dryRun: values['dry-run'] === true,
    now: Date.now(),
    ...(brokerData === undefined ? {} : { brokerData: resolve(brokerData) }),
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS });
  } catch (thrown) {
    throw new LimpetError('invalid-argument', `${messageOf(thrown)}\n${USAGE}`, { cause: thrown });
  }
}

function textOf(options: InitOptions, { changed, files }: InitReport): string {
  const { folder, dryRun, hosts, tls, port } = options;
  if (!changed) return `the authority in ${folder} is there already; nothing was changed`;
  const { serverConfig } = filesOf(folder);
  const scheme = tls ? 'tls' : 'nats';
  const open = hosts.length > 0 && !tls;
  return [
    ...files.map((file) => `${dryRun ? 'would write' : 'wrote'} ${folder}/${file}`),
    '',
    `start the broker:      nats-server -c ${serverConfig}`,
    `tell the requester:    "authority": "${folder}", "nats": { "servers": ["${scheme}://${hosts[0] ?? '127.0.0.1'}:${port}"] }`,
    'let a node join:       limpet node token create',
    `move to a safe place:  ${folder}/offline (it makes new signing keys, and is needed for nothing else)`,
    ...(open ? ['without TLS everyone on the network reads what goes to the broker and back'] : []),
  ].join('\n');
}
