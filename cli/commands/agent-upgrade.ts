/**
 * `limpet agent upgrade PATH`: swaps the version of this host; work goes on, and the old version comes back when the new
 * one is not ready in time. The act is a unit of its own, so that it does not end with the terminal it was ordered from.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { print, type Context } from '../context.ts';
import { agentPid } from '../install/agent-check.ts';
import type { Host } from '../install/host.ts';
import {
  readJournal,
  refuseDuringUpgrade,
  removeJournal,
  writeJournal,
  type Journal,
} from '../install/journal.ts';
import { LAYOUT, SERVICES } from '../install/layout.ts';
import { openHost, type HostOrder } from '../install/open-host.ts';
import { readRecord, type InstallRecord } from '../install/record.ts';
import type { Systemctl } from '../install/systemctl.ts';
import { act } from '../install/upgrade-act.ts';
import { prepareUpgrade } from '../install/upgrade-prepare.ts';
import { removeOldVersions } from '../install/version-folders.ts';
import { programPath } from '../programs.ts';
import { seconds } from '../options.ts';

interface UpgradeOptions extends HostOrder {
  readonly timeout: number;
  readonly resume?: boolean;
  /** In the unit of its own. */
  readonly here?: boolean;
}

const UNIT = 'limpet-upgrade.service';
/** Longer than two restarts of two services take. */
const ACT_MS = 30 * 60_000;
const POLL_MS = 500;

/** For `limpet agent` and for `limpet requester`: one version is there for both. */
export function upgrade(context: Context): Command {
  return new Command('upgrade')
    .description('swap the version of this host; work goes on; back by itself when it is not ready')
    .argument('[path]', 'release: its archive, or its unpacked folder; an older one works as well')
    .option('--timeout <time>', 'for each service to be ready', seconds, 60)
    .option('--resume', 'only carry an interrupted upgrade to its end')
    .option('--dry-run', 'only check, and show what would be done')
    .option('--root <folder>', 'of an installation with --root')
    .addOption(new Option('--systemctl <program>').hideHelp())
    .addOption(new Option('--here').hideHelp())
    .action(async (path: string | undefined, options: UpgradeOptions) => {
      const host = openHost(options);
      if (options.here === true) {
        await actHere(host);
        return;
      }
      if ((path === undefined) !== (options.resume === true))
        throw new LimpetError('invalid-argument', 'expected the PATH of a release, or --resume');
      const record = installed(host);
      await finishLast(context, host, options);
      if (path !== undefined) await begin(context, { host, record, path, options });
    });
}

/** Errors: `not-found`. */
function installed(host: Host): InstallRecord {
  const record = readRecord(host);
  if (record !== undefined) return record;
  throw new LimpetError(
    'not-found',
    'limpet is not installed here; `limpet install` of the release does that',
  );
}

/** What an earlier command has begun, and its outcome if nobody has been told it. */
async function finishLast(context: Context, host: Host, options: UpgradeOptions): Promise<void> {
  const left = readJournal(host);
  if (left === undefined) {
    if (options.resume === true) print(context, 'no upgrade was interrupted; nothing to do');
    return;
  }
  if (options.dryRun === true) {
    refuseDuringUpgrade(host);
    return;
  }
  print(context, `an upgrade to ${left.to} was interrupted; ending it first`);
  const failure = tell(context, host, left.phase === 'over' ? left : await run(host, options));
  if (failure !== undefined && options.resume === true) throw failure;
}

interface Beginning {
  readonly host: Host;
  readonly record: InstallRecord;
  readonly path: string;
  readonly options: UpgradeOptions;
}

async function begin(context: Context, beginning: Beginning): Promise<void> {
  const { host, record, path, options } = beginning;
  const dryRun = options.dryRun === true;
  const { from, to, steps } = await prepareUpgrade(host, record, { path, dryRun });
  if (from === to) {
    print(context, `limpet ${to} runs already; nothing to do`);
    return;
  }
  const services = runningServices(host, record);
  if (dryRun) {
    for (const line of steps) print(context, `would make ${line}`);
    for (const service of services) print(context, `would restart limpet-${service}`);
    return;
  }
  const previous = host.readLink(LAYOUT.previous)?.replace('versions/', '');
  const pid = services.includes('agent') ? await agentPid(host) : undefined;
  writeJournal(host, {
    ...{ v: 1, phase: 'forward', from, to, services, timeoutMs: options.timeout * 1000 },
    ...(previous === undefined ? {} : { previous }),
    ...(pid === undefined ? {} : { agentPid: pid }),
  });
  const failure = tell(context, host, await run(host, options));
  if (failure !== undefined) throw failure;
}

/** Who is stopped stays stopped. The requester first: it knows agents that are older than itself. */
function runningServices(host: Host, record: InstallRecord): ('requester' | 'agent')[] {
  return (['requester', 'agent'] as const).filter(
    (service) =>
      record.services.includes(service) &&
      host.systemctl?.state(SERVICES[service].unit).active === true,
  );
}

/** The journal as it is then: over, unless even that failed. */
async function run(host: Host, options: UpgradeOptions): Promise<Journal> {
  if (!host.isThisMachine || host.systemctl === undefined) await actHere(host);
  else await actInUnit(host.systemctl, options);
  const journal = readJournal(host);
  if (journal?.phase === 'over') return journal;
  if (journal === undefined)
    throw new LimpetError('conflict', 'another limpet has ended this upgrade, and told how');
  throw new LimpetError(
    'unavailable',
    `the upgrade did not come to its end: journalctl -u ${UNIT}; then limpet agent upgrade --resume`,
  );
}

async function actHere(host: Host): Promise<void> {
  const journal = readJournal(host);
  if (journal === undefined) throw new LimpetError('not-found', 'there is no upgrade to carry out');
  await act(host, journal);
}

/** It has no output of ours: a terminal that is gone must not end it. Its outcome is in the journal. */
async function actInUnit(services: Systemctl, { systemctl }: UpgradeOptions): Promise<void> {
  const place = ['--unit', UNIT, '--description', 'Limpet upgrade', '--collect', '--wait'];
  const stand = systemctl === undefined ? [] : ['--systemctl', systemctl];
  const order = ['agent', 'upgrade', '--here', ...stand];
  const args = [...place, '--quiet', process.execPath, programPath('limpet'), ...order];
  spawnSync('systemd-run', args, { stdio: 'ignore' });
  // It was under way already, begun by a command that has died.
  for (const until = performance.now() + ACT_MS; performance.now() < until;) {
    if (!services.state(UNIT).active) return;
    await setTimeout(POLL_MS);
  }
}

/** Prints the outcome and forgets it. Answers the failure, if it is one. */
function tell(context: Context, host: Host, journal: Journal): LimpetError | undefined {
  const { told = [], reason } = journal;
  const last = told.at(-1) ?? '';
  for (const line of reason === undefined ? told : told.slice(0, -1)) print(context, line);
  removeJournal(host);
  for (const name of removeOldVersions(host)) print(context, `removed the old version ${name}`);
  return reason === undefined ? undefined : new LimpetError('unavailable', last);
}
