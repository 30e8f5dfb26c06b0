/** `limpet plugin logs NAME`: what a plugin wrote to its stderr, by way of the agent; of an agent that does not run, the file. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import type { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { pluginLogSchema } from '../../wire/plugins.ts';
import { askAgentFor } from '../agent-answer.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../options.ts';
import { LinePrinter } from '../output/line-printer.ts';
import { readWith } from '../reader.ts';

const LINES = 100;
const LOOK_MS = 300;

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines: number;
  readonly raw?: boolean;
}

export function pluginLogs(context: Context, done: (exitCode: number) => void): Command {
  return folderOf(new Command('logs'))
    .description("show a plugin's own log: what it writes to stderr")
    .argument('<name>', 'as `limpet plugin list` shows it')
    .option('-f, --follow', 'go on as it grows')
    .option('-n, --lines <count>', 'so many of the newest lines', wholeNumber, LINES)
    .option('--raw', 'lines as the plugin wrote them, JSON too')
    .action(async (name: string, options: LogsOptions, command: Command) => {
      const folder = agentFolder(context, command);
      const printer = new LinePrinter(context, options.raw === true);
      const reading = { folder, name, options, printer };
      const newest = await newestPart(reading);
      if (newest !== undefined) await ofAgent(reading, newest);
      else done(await ofFile(reading));
      printer.end();
    });
}

interface Reading {
  readonly folder: string;
  readonly name: string;
  readonly options: LogsOptions;
  readonly printer: LinePrinter;
}

type Part = z.infer<typeof pluginLogSchema>;

function ask({ folder, name }: Reading, query: string): Promise<Part> {
  const path = `/plugins/${encodeURIComponent(name)}/log?${query}`;
  return askAgentFor(pluginLogSchema, folder, ['GET', path]);
}

/** undefined when no agent answers, and the file is there to be read. */
async function newestPart(reading: Reading): Promise<Part | undefined> {
  try {
    return await ask(reading, `lines=${reading.options.lines}`);
  } catch (thrown) {
    if (LimpetError.from(thrown).code === 'unavailable' && existsSync(fileOf(reading)))
      return undefined;
    throw thrown;
  }
}

/** It follows until the agent ends. */
async function ofAgent(reading: Reading, newest: Part): Promise<void> {
  const { options, printer } = reading;
  let part = newest;
  printer.add(part.text);
  while (options.follow === true) {
    if (part.text === '') await delay(LOOK_MS);
    part = await ask(reading, `from=${part.next}`);
    printer.add(part.text);
  }
}

function ofFile(reading: Reading): Promise<number> {
  const { lines, follow = false } = reading.options;
  const args = [`--lines=${lines}`, ...(follow ? ['--follow'] : []), fileOf(reading)];
  return readWith('tail', args, (text) => reading.printer.add(text));
}

/** See `agent/executions/folders.ts`. */
function fileOf({ folder, name }: Reading): string {
  return join(folder, 'plugins', `${name}.log`);
}
