/** `limpet install agent|requester`: makes this host one of the two, by systemd. */
import { readFileSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { note, type Context } from '../context.ts';
import { agentPlan } from '../install/agent-plan.ts';
import type { Facts } from '../install/base-plan.ts';
import { carryOut } from '../install/carry-out.ts';
import { findFacts } from '../install/facts.ts';
import { refuseDuringUpgrade } from '../install/journal.ts';
import { agentNextSteps, requesterNextSteps } from '../install/next-steps.ts';
import { checkNode } from '../install/node-program.ts';
import { openHost, type HostOrder } from '../install/open-host.ts';
import { findNatsServer } from '../install/nats-server.ts';
import { ownRelease, readRelease } from '../install/release.ts';
import { requesterPlan } from '../install/requester-plan.ts';
import type { Host } from '../install/host.ts';
import { repeated } from '../options.ts';

interface InstallOptions extends HostOrder {
  readonly start: boolean;
  readonly node?: string;
}

interface AgentOptions extends InstallOptions {
  readonly join?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly name?: string;
  readonly label: Readonly<Record<string, string>>;
  readonly process?: boolean;
  readonly ca?: string;
}

interface RequesterOptions extends InstallOptions {
  readonly nats?: boolean;
  readonly host?: readonly string[];
}

export function install(context: Context): Command {
  return new Command('install')
    .description('make this host a compute node or the requester, by systemd')
    .addCommand(installAgent(context))
    .addCommand(installRequester(context));
}

function installAgent(context: Context): Command {
  const command = new Command('agent')
    .description('install the agent of a compute node: user, folders, configuration, key, unit')
    .option('--join <url>', "the requester's broker: nats://HOST:4222 or tls://HOST:4222")
    .option(
      '--token <token>',
      'join token, of `limpet node token create`; others of this host may see it',
    )
    .option('--token-file <file>', 'the same, in a file; - is stdin')
    .option('--name <name>', 'display name of the node; else the host name')
    .option('--label <key=value>', 'label that jobs can ask for (repeatable)', label, {})
    .option('--process', 'offer the process executor, by the profile for it')
    .option('--ca <file>', "authority of the broker's certificate, PEM; else that of the token");
  return placeOptions(command).action(async (options: AgentOptions) => {
    const { host, facts } = prepare(context, options);
    const steps = agentPlan(facts, {
      ...{ join: options.join, name: options.name, labels: options.label },
      token: await tokenOf(context, options),
      process: options.process === true,
      ca: options.ca === undefined ? undefined : readText('--ca', options.ca),
      start: options.start,
    });
    carryOut(context, host, { steps, dryRun: options.dryRun === true });
    if (options.dryRun !== true) note(context, agentNextSteps(host, options.start));
  });
}

function installRequester(context: Context): Command {
  const command = new Command('requester')
    .description('install the requester, and with --nats its broker')
    .option('--nats', 'install the broker as a service too; needs nats-server')
    .option(
      '--host <name>',
      'name or address by which nodes reach the broker (repeatable); else loopback only',
      repeated,
    );
  return placeOptions(command).action((options: RequesterOptions) => {
    const { host, facts } = prepare(context, options);
    if (options.nats === true) findNatsServer(host, context.env, facts.record);
    const hosts = options.host ?? [];
    const wishes = { nats: options.nats === true, hosts, start: options.start };
    const steps = requesterPlan(facts, wishes);
    carryOut(context, host, { steps, dryRun: options.dryRun === true });
    if (options.dryRun !== true) note(context, requesterNextSteps(host, wishes));
  });
}

function placeOptions(command: Command): Command {
  return command
    .option('--node <path>', 'Node that runs the services; else the one that runs this')
    .option('--no-start', 'enable the services and start nothing')
    .option('--dry-run', 'only show everything that would be done')
    .option('--root <folder>', 'put every path below this folder; make no users, start nothing')
    .addOption(new Option('--systemctl <program>').hideHelp());
}

/** Errors: `permission-denied`, `unavailable`, `invalid-argument`; see what it calls. */
function prepare(context: Context, options: InstallOptions): { host: Host; facts: Facts } {
  const host = openHost(options);
  refuseDuringUpgrade(host);
  const source = realpathSync(ownRelease());
  const release = readRelease(source);
  const node = checkNode(options.node ?? process.execPath, release, host.isThisMachine);
  if (Number.parseInt(node.version) % 2 === 1)
    note(context, `Node ${node.version} is no long-term release; 22 is recommended`);
  return { host, facts: findFacts(host, source, node.path) };
}

async function tokenOf(context: Context, options: AgentOptions): Promise<string | undefined> {
  const { token, tokenFile } = options;
  if (token !== undefined && tokenFile !== undefined)
    throw new LimpetError('invalid-argument', 'either --token or --token-file');
  if (tokenFile === undefined) return token;
  if (tokenFile !== '-') return readText('--token-file', tokenFile).trim();
  let text = '';
  for await (const part of context.stdin) text += String(part);
  return text.trim();
}

function readText(option: string, file: string): string {
  try {
    return readFileSync(resolve(file), 'utf8');
  } catch (thrown) {
    throw new LimpetError('invalid-argument', `${option}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

function label(
  text: string,
  before: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const [, key, value] = /^([^=\s]+)=(.*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined)
    throw new InvalidArgumentError('Expected KEY=VALUE.');
  return { ...before, [key]: value };
}
