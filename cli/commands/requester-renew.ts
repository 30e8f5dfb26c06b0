/** `limpet requester renew-certificates`: a new certificate for the broker, by the authority that is there. */
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { LAYOUT } from '../install/layout.ts';
import { runProgram } from '../programs.ts';
import { defaultFolder } from './requester-init.ts';

interface RenewOptions {
  readonly folder?: string;
  readonly host: readonly string[];
  readonly dryRun?: boolean;
}

export function requesterRenew(context: Context, done: (exitCode: number) => void): Command {
  return new Command('renew-certificates')
    .description('make a new certificate and key for the broker; the authority and nodes stay')
    .option(
      '--folder <dir>',
      `of the authority; else authority/ in LIMPET_DATA, installed: ${LAYOUT.authority}`,
    )
    .option<readonly string[]>(
      '--host <name>',
      'name or address by which other hosts reach the broker (repeatable); else as before',
      (name, names) => [...names, name],
      [],
    )
    .option('--dry-run', 'only show what would be made')
    .action(async ({ folder, host, dryRun }: RenewOptions) => {
      const args = [
        ...['--folder', folder ?? defaultFolder(context)],
        ...host.flatMap((name) => ['--host', name]),
        ...(dryRun === true ? ['--dry-run'] : []),
      ];
      done(await runProgram('requester', ['--renew-certificates', ...args]));
    });
}
