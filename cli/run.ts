/** One command line to one exit code: 0 done, 1 failed, 2 wrong usage, or that of the job that was waited for. */
import { CommanderError } from 'commander';
import { LimpetError } from '../core/errors.ts';
import { note } from './context.ts';
import type { Context } from './context.ts';
import { oneLine } from './output/table.ts';
import { createProgram } from './program.ts';

const USAGE_ERROR = 2;
const INTERRUPTED = 130;

export async function run(args: readonly string[], context: Context): Promise<number> {
  let exitCode = 0;
  const program = createProgram(context, (code) => {
    exitCode = code;
  });
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : USAGE_ERROR;
    return report(thrown, context);
  }
}

function report(thrown: unknown, context: Context): number {
  const error = LimpetError.from(thrown);
  const unforeseen =
    thrown instanceof LimpetError ? '' : ' (unforeseen; LIMPET_DEBUG=1 shows where)';
  note(context, `error: ${oneLine(error.message)}${unforeseen}`);
  if (context.env['LIMPET_DEBUG']) note(context, debugText(thrown));
  if (error.code === 'cancelled') return INTERRUPTED;
  return error.code === 'invalid-argument' ? USAGE_ERROR : 1;
}

function debugText(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? '' : `\ncaused by ${debugText(thrown.cause)}`;
  return `${thrown.stack ?? thrown.message}${cause}`;
}
