/** `limpet agent stop`: ends the agent of this host, and what becomes of its work. */
import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgent } from '../agent-socket.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { identify, isAlive } from '../dev/process-identity.ts';

const WHAT_STOPS_WHAT = `
What stops what:
                                  agent   plugins         runs
  SIGTERM, SIGINT, agent stop     ends    stay            stay
  systemctl stop or restart       ends    stay            stay (KillMode=process)
  crash, kill -9, upgrade         ends    stay            stay
  agent stop --drain              ends    end after runs  finish; services and daemons are stopped
  agent stop --kill               ends    end after runs  end: TERM, KILL after stopGraceMs
  limpet agent reset              -       end             every trace is removed
With onStop: kill in its config SIGTERM, SIGINT and a plain agent stop do as --kill does.
The next start finds what stays: same processes, same containers, no gap in the logs.
A drain is not remembered: after another agent stop, SIGTERM or a crash the node takes work again.`;

interface StopOptions {
  readonly drain?: boolean;
  readonly kill?: boolean;
}

const answerSchema = z.looseObject({ stopping: z.enum(['detach', 'drain', 'kill']) });
const statusSchema = z.looseObject({
  pid: z.int(),
  executions: z.array(z.looseObject({ id: z.string() })),
});

const LOOK_MS = 100;
const TELL_EVERY_MS = 1_000;

const DONE = {
  detach: 'the agent has ended; runs and plugins go on',
  drain: 'the agent and its plugins have ended; no work is left',
  kill: 'the agent, its plugins and its runs have ended',
};

export function agentStop(context: Context): Command {
  return folderOf(new Command('stop'))
    .description('end the agent of this host; runs and plugins go on unless told otherwise')
    .addOption(
      new Option('--drain', 'take no new work, let the runs finish, then end').conflicts('kill'),
    )
    .option('--kill', 'end the runs, then the plugins, then the agent')
    .addHelpText('after', WHAT_STOPS_WHAT)
    .action(async (options: StopOptions, command: Command) => {
      const folder = agentFolder(context, command);
      const { pid } = statusSchema.parse(await askAgent(folder, 'GET', '/status'));
      const agent = identify(pid);
      const mode = options.kill ? 'kill' : options.drain ? 'drain' : undefined;
      const { stopping } = answerSchema.parse(await askAgent(folder, 'POST', '/stop', { mode }));
      if (agent !== undefined) await ended(context, folder, () => isAlive(agent));
      print(context, DONE[stopping]);
    });
}

/** Says what is waited for, when that changes. An interrupted wait takes nothing back. */
async function ended(context: Context, folder: string, alive: () => boolean): Promise<void> {
  let told = '';
  for (let waited = 0; alive(); waited += LOOK_MS) {
    if (waited % TELL_EVERY_MS === 0) {
      const waiting = await waitingFor(folder);
      if (waiting !== '' && waiting !== told) note(context, waiting);
      told = waiting;
    }
    await delay(LOOK_MS);
  }
}

/** '' when it cannot be asked any more. */
async function waitingFor(folder: string): Promise<string> {
  try {
    const status = statusSchema.parse(await askAgent(folder, 'GET', '/status'));
    const count = status.executions.length;
    return count === 0 ? '' : `waiting for ${count} execution${count === 1 ? '' : 's'}`;
  } catch {
    return '';
  }
}
