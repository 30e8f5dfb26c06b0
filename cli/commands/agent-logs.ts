/** `limpet agent logs`: the journal of the installed unit, else the log of `limpet dev`, else where to look. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import type { Context } from '../context.ts';
import { LAYOUT, SERVICES } from '../install/layout.ts';
import { wholeNumber } from '../options.ts';
import { readWith } from '../reader.ts';

const UNIT = SERVICES.agent.unit;
const UNIT_FILE = `${LAYOUT.units}/${UNIT}`;
const LINES = 100;

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines: number;
}

export function agentLogs(context: Context, done: (exitCode: number) => void): Command {
  return folderOf(new Command('logs'))
    .description("show the agent's own log: of its unit, or of limpet dev")
    .option('-f, --follow', 'go on as it grows')
    .option('-n, --lines <count>', 'so many of the newest lines', wholeNumber, LINES)
    .action(async (options: LogsOptions, command: Command) => {
      const folder = agentFolder(context, command);
      const [program, ...args] = readerOf(folder, options);
      done(await readWith(program, args, (text) => context.stdout.write(text)));
    });
}

/** Errors: `not-found`. */
function readerOf(
  folder: string,
  { follow = false, lines }: LogsOptions,
): readonly [string, ...string[]] {
  const more = follow ? ['--follow'] : [];
  if (folder === LAYOUT.agentData && existsSync(UNIT_FILE))
    return [
      'journalctl',
      `--unit=${UNIT}`,
      `--lines=${lines}`,
      '--output=cat',
      '--no-pager',
      ...more,
    ];
  const dev = join(dirname(folder), 'dev.log');
  if (existsSync(dev)) return ['tail', `--lines=${lines}`, ...more, dev];
  throw new LimpetError(
    'not-found',
    `the agent of ${folder} runs in no unit and not in \`limpet dev\`: its log is the stderr of whoever started it; logs of jobs: limpet job logs`,
  );
}
