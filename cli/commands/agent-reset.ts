/** `limpet agent reset [--dry-run]`: removes everything of the agent of this host, on purpose. */
import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { agentStatusSchema } from '../../wire/agent-status.ts';
import { folderOfOrder } from '../agent-folder.ts';
import { runAgentProgram } from '../agent-program.ts';
import { askAgent } from '../agent-socket.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { identify, isAlive } from '../dev/process-identity.ts';

const RESET_MS = 300_000;
const END_MS = 60_000;
const POLL_MS = 100;

interface ResetOptions {
  readonly config?: string;
  readonly data?: string;
  readonly dryRun?: boolean;
  readonly identity?: boolean;
  readonly stop?: boolean;
}

const reportSchema = z.looseObject({
  nodeId: z.string(),
  runs: z.array(z.string()),
  kept: z.array(z.string()),
  paths: z.array(z.string()),
});

export function agentReset(context: Context): Command {
  return new Command('reset')
    .description('remove everything of this agent: runs, plugins, containers, folders, store')
    .option('--dry-run', 'only show what would be removed')
    .option('--identity', 'its identity too: it comes back as another node')
    .option('--stop', 'end the agent first, if it runs')
    .option('--config <file>', "the agent's configuration: which executors it has")
    .option(
      '--data <folder>',
      "the agent's folder; else agent/ in LIMPET_DATA, ~/.limpet or /var/lib/limpet",
    )
    .action(async (_options: unknown, command: Command) => {
      const options: ResetOptions = command.optsWithGlobals();
      const folder = folderOfOrder(context, options);
      await notRunning(folder, options.stop === true && options.dryRun !== true);
      print(context, textOf(await reset(folder, options), options.dryRun === true));
    });
}

const statusSchema = agentStatusSchema.pick({ pid: true });

/** Errors: `conflict`. The lock of the store is the proof; this is the friendly word before it. */
async function notRunning(folder: string, stop: boolean): Promise<void> {
  const status = await askAgent(folder, 'GET', '/status').catch((thrown: unknown) => {
    const error = LimpetError.from(thrown);
    if (error.code === 'unavailable') return undefined;
    throw error;
  });
  if (status === undefined) return;
  if (!stop)
    throw new LimpetError('conflict', `the agent of ${folder} runs; stop it first, or add --stop`);
  const agent = identify(statusSchema.parse(status).pid);
  await askAgent(folder, 'POST', '/stop', { mode: 'kill' });
  for (let waited = 0; agent !== undefined && isAlive(agent); waited += POLL_MS) {
    if (waited > END_MS)
      throw new LimpetError('timeout', `the agent of ${folder} does not end; nothing was removed`);
    await setTimeout(POLL_MS);
  }
}

async function reset(
  folder: string,
  { config, dryRun, identity }: ResetOptions,
): Promise<z.infer<typeof reportSchema>> {
  const order = [
    '--reset',
    ...(dryRun === true ? ['--dry-run'] : []),
    ...(identity === true ? ['--identity'] : []),
  ];
  return reportSchema.parse(await runAgentProgram({ folder, config, order }, RESET_MS));
}

function textOf(
  { nodeId, runs, kept, paths }: z.infer<typeof reportSchema>,
  dryRun: boolean,
): string {
  const done = dryRun ? 'would remove' : 'removed';
  return [
    `node ${nodeId}`,
    ...[...runs, ...kept].map((one) => `${done} ${one}`),
    ...paths.map((path) => `${done} ${path}`),
  ].join('\n');
}
