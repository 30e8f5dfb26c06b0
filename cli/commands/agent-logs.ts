/** `limpet agent logs`: the journal of the installed unit, else the log of `limpet dev`, else where to look. */
import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import type { Context } from '../context.ts';
import { LAYOUT, SERVICES } from '../install/layout.ts';
import { wholeNumber } from '../options.ts';

const UNIT = SERVICES.agent.unit;
const UNIT_FILE = `${LAYOUT.units}/${UNIT}`;
const LINES = 100;
const INTERRUPTED = 130;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

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
      done(await read(context, program, args));
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

/** Ends with its reader, whoever ends this one. */
function read(context: Context, program: string, args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = (): void => void child.kill();
  for (const signal of SIGNALS) process.on(signal, end);
  child.stdout.on('data', (part: Buffer) => context.stdout.write(part));
  return new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new LimpetError('unavailable', `${program} cannot be run: ${cause.message}`, { cause }),
      ),
    );
    child.once('close', (code) => resolve(code ?? INTERRUPTED));
  }).finally(() => {
    for (const signal of SIGNALS) process.off(signal, end);
  });
}
