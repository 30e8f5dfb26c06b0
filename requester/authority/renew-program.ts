/** `requester --renew-certificates`: the words around `renewCertificates`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { filesOf } from './layout.ts';
import { renewCertificates, type RenewOptions, type RenewReport } from './renew.ts';

const USAGE = `usage: requester --renew-certificates --folder DIR [--host NAME]... [--dry-run]
  --folder DIR       that \`requester --init\` has made
  --host NAME        name or address by which other hosts reach the broker; without one those of the present certificate
  --dry-run          only print`;

const OPTIONS = {
  folder: { type: 'string' },
  host: { type: 'string', multiple: true },
  'dry-run': { type: 'boolean' },
} as const;

/** Prints what was made. Errors: `invalid-argument` and those of `renewCertificates`. */
export async function runRenew(args: readonly string[]): Promise<void> {
  const { folder, host = [], 'dry-run': dryRun = false } = read(args);
  if (folder === undefined)
    throw new LimpetError('invalid-argument', `--folder is missing\n${USAGE}`);
  const options = { folder: resolve(folder), hosts: host, dryRun, now: Date.now() };
  process.stdout.write(`${textOf(options, await renewCertificates(options))}\n`);
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (thrown) {
    throw new LimpetError('invalid-argument', `${messageOf(thrown)}\n${USAGE}`, { cause: thrown });
  }
}

function textOf({ folder, dryRun }: RenewOptions, report: RenewReport): string {
  const { serverCertificate, serverConfig } = filesOf(folder);
  const until = new Date(report.until).toISOString().slice(0, 10);
  return [
    `${dryRun ? 'would write' : 'wrote'} ${serverCertificate} and its key, for ${report.hosts.join(', ')}, until ${until}`,
    '',
    'have the broker take it:  systemctl reload limpet-nats   (elsewhere: kill -HUP PID of nats-server)',
    'nodes connect again within a second, what runs goes on; their keys and the authority are as they were',
    ...(report.onlyLoopback
      ? [
          `the broker listens on loopback alone: for other hosts set host: "0.0.0.0" in ${serverConfig}, and restart it`,
        ]
      : []),
  ].join('\n');
}
