/** `limpet agent drain`: the node takes no new work, lets finish what runs, and stays; `--off` takes work again. */
import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgent } from '../agent-socket.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { seconds } from '../options.ts';

const MEANING = `
Runs of batch and ops jobs finish; services and daemons are stopped, and their owner places them elsewhere. The order
outlives a restart of the agent and of this host. The requester shows the node as ineligible, with the reason.
To end the agent after the last run instead: limpet agent stop --drain`;

interface DrainOptions {
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly off?: boolean;
}

const statusSchema = z.looseObject({ executions: z.array(z.looseObject({ id: z.string() })) });

const LOOK_MS = 200;

export function agentDrain(context: Context): Command {
  return folderOf(new Command('drain'))
    .description('take no new work, let the runs finish, and stay')
    .option('--wait', 'until no work is left')
    .option('--timeout <time>', 'end the wait after this, such as 10m; the drain goes on', seconds)
    .addOption(new Option('--off', 'take work again').conflicts(['wait', 'timeout']))
    .addHelpText('after', MEANING)
    .action(async (options: DrainOptions, command: Command) => {
      const folder = agentFolder(context, command);
      await askAgent(folder, 'POST', '/drain', { on: options.off !== true });
      if (options.off === true) print(context, 'the node takes work again');
      else if (options.wait === true || options.timeout !== undefined)
        await drained(context, folder, options.timeout);
      else print(context, `drained: no new work is taken; ${leftText(await left(folder))}`);
    });
}

/** Errors: `timeout`. An interrupted wait takes nothing back. */
async function drained(
  context: Context,
  folder: string,
  timeoutS: number | undefined,
): Promise<void> {
  const until = timeoutS === undefined ? Infinity : performance.now() + timeoutS * 1000;
  let told = -1;
  for (;;) {
    const count = await left(folder);
    if (count === 0) break;
    if (count !== told) note(context, leftText(count));
    told = count;
    if (performance.now() > until)
      throw new LimpetError(
        'timeout',
        `${leftText(count)} after ${timeoutS} s; the node stays drained, and nothing was ended`,
      );
    await delay(LOOK_MS);
  }
  print(context, 'drained: no work is left');
}

async function left(folder: string): Promise<number> {
  return statusSchema.parse(await askAgent(folder, 'GET', '/status')).executions.length;
}

function leftText(count: number): string {
  if (count === 0) return 'no work is left';
  return count === 1 ? '1 execution is left' : `${count} executions are left`;
}
