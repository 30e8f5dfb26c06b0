/** `limpet requester init`: the keys of a cluster's broker. */
import { join } from 'node:path';
import { Command } from 'commander';
import { dataFolder } from '../api/endpoint.ts';
import type { Context } from '../context.ts';
import { LAYOUT } from '../install/layout.ts';
import { runProgram } from '../programs.ts';

interface InitOptions {
  readonly folder?: string;
  readonly host: readonly string[];
  readonly tls?: boolean;
  readonly port: string;
  readonly natsData?: string;
  readonly dryRun?: boolean;
}

export function requesterInit(context: Context, done: (exitCode: number) => void): Command {
  return new Command('init')
    .description('make operator, account, keys and a nats-server configuration')
    .option(
      '--folder <dir>',
      `where; else authority/ in LIMPET_DATA, installed: ${LAYOUT.authority}`,
    )
    .option<readonly string[]>(
      '--host <name>',
      'name or address by which other hosts reach the broker (repeatable); else loopback only',
      (name, names) => [...names, name],
      [],
    )
    .option('--tls', 'TLS with a certificate authority made here; the default with --host')
    .option('--no-tls', 'no TLS')
    .option('--port <port>', 'of the broker', '4222')
    .option(
      '--nats-data <dir>',
      'where the broker keeps the newest claims; else nats/ in the folder',
    )
    .option('--dry-run', 'only show what would be made')
    .action(async (options: InitOptions) => {
      done(await runProgram('requester', ['--init', ...argsOf(context, options)]));
    });
}

function argsOf(context: Context, options: InitOptions): string[] {
  const { folder, host, tls, port, natsData, dryRun } = options;
  return [
    ...['--folder', folder ?? defaultFolder(context)],
    ...host.flatMap((name) => ['--host', name]),
    ...(tls === undefined ? [] : [tls ? '--tls' : '--no-tls']),
    ...['--port', port],
    ...(natsData === undefined ? [] : ['--nats-data', natsData]),
    ...(dryRun === true ? ['--dry-run'] : []),
  ];
}

/** Of the authority. */
export function defaultFolder({ env }: Context): string {
  const data = dataFolder(env);
  return data === LAYOUT.data ? LAYOUT.authority : join(data, 'authority');
}
