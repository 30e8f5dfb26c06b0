import { LimpetError } from '../../../core/errors.ts';
import { orderDeadline, readClaim } from '../held-run.ts';
import type { ExecutorHost, RunContext } from '../types.ts';
import { carried, commonEnvironment } from './environment.ts';
import { launchHolder } from './launch.ts';
import { marksOf } from './marks.ts';
import { requireProgram } from './programs.ts';
import type { HeldCommand } from './types.ts';
import { makeWorkFolder } from './work-folder.ts';

/**
 * Starts a command under a holder and resolves when that has claimed the run; a run that is claimed is left as it is, so
 * that it may be called again after any crash. For an `Executor` of one's own; `heldExecutor` does the rest too.
 * `own` is the environment that PATH, HOME, LANG and TZ are taken from. Errors: `refused` when the program, `cwd` or a mount
 * is not there; `plugin-failed` when no holder comes up within 10 s.
 */
export async function spawnHeld(
  host: ExecutorHost,
  run: RunContext,
  command: HeldCommand,
  own: Readonly<Record<string, string | undefined>> = process.env,
): Promise<void> {
  const env = await checkHeld(run, command, own);
  // What has begun may have put links into its folder by now: nothing is made there again.
  if (readClaim(run.folder) !== undefined) return;
  const start = await makeWorkFolder(run, command);
  if (run.spec.deadlineAt > 0) await orderDeadline(run.folder, run.spec.deadlineAt);
  const marks = marksOf(host, run.spec);
  const { argv, maxAddressSpaceBytes, maxOutputBytes, user } = command;
  await launchHolder(run, {
    ...{ argv, start, maxAddressSpaceBytes, maxOutputBytes, user },
    env: carried({ ...env, ...marks }, marks),
  });
}

/** Answers the command's environment. Errors: `refused`. */
export async function checkHeld(
  { spec }: RunContext,
  { argv: [program], env }: HeldCommand,
  own: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string>> {
  const whole = { ...commonEnvironment(spec, own), ...env };
  if (program === undefined) throw new LimpetError('refused', 'the command of this run is empty');
  await requireProgram(program, whole['PATH'] ?? '');
  return whole;
}
