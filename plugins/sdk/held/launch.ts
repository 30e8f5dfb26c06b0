/** Starts the holder of a run and waits for its claim. */
import { spawn } from 'node:child_process';
import { open, rename, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { LimpetError, messageOf } from '../../../core/errors.ts';
import { readClaim } from '../held-run.ts';
import { pause } from '../pause.ts';
import type { RunContext } from '../types.ts';
import { holderScript } from './holder-script.ts';
import type { HeldUser } from './types.ts';

const MOST_OUTPUT_BYTES = 1024 ** 3;
/** What is read is told every 4 MiB; until then it counts as waiting. */
const LEAST_OUTPUT_BYTES = 16 * 1024 ** 2;
const CLAIM_BOUND_MS = 10_000;
const CLAIM_POLL_MS = 5;

export interface Launch {
  readonly argv: readonly string[];
  /** Of the holder, as `carried` makes it. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder in which the command starts. */
  readonly start: string;
  readonly maxAddressSpaceBytes: number | undefined;
  readonly maxOutputBytes: number | undefined;
  readonly user: HeldUser | undefined;
}

/**
 * Resolves when the run is claimed, by this holder or by an earlier one that was slower. Launching twice is harmless: the
 * claim is made with O_EXCL. Errors: `plugin-failed` when no holder comes up.
 */
export async function launchHolder(run: RunContext, launch: Launch): Promise<void> {
  const script = await placeScript(run.folder);
  const stdout = await open(join(run.folder, 'stdout'), 'a', 0o600);
  const stderr = await open(join(run.folder, 'stderr'), 'a', 0o600);
  try {
    const over = new AbortController();
    const failed = spawnHolder([script, ...holderArguments(run, launch)], launch.env, [
      stdout.fd,
      stderr.fd,
    ]).then((why) => {
      over.abort();
      return why;
    });
    await claimed(run.folder, over.signal, failed);
  } finally {
    await stdout.close();
    await stderr.close();
  }
}

/** A shell reads its script while it goes: one that is there already is replaced and never written to. */
async function placeScript(folder: string): Promise<string> {
  const file = join(folder, 'holder.sh');
  await writeFile(`${file}.tmp`, holderScript(), { mode: 0o600 });
  await rename(`${file}.tmp`, file);
  return file;
}

/** Answers why it has ended. The output files are passed on as they are, never piped through this process. */
function spawnHolder(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  output: readonly [number, number],
): Promise<string> {
  return new Promise((resolve) => {
    try {
      const holder = spawn('/bin/sh', args, {
        detached: true,
        env,
        stdio: ['ignore', ...output],
      });
      holder.once('error', (error) => resolve(error.message));
      holder.once('exit', (code) => resolve(`it ended with ${code ?? 'a signal'}`));
      holder.unref();
    } catch (thrown) {
      // Arguments and variables that are more than Linux starts a program with.
      resolve(messageOf(thrown));
    }
  });
}

function holderArguments(
  { spec, folder }: RunContext,
  { user, start, maxAddressSpaceBytes = 0, maxOutputBytes = MOST_OUTPUT_BYTES, argv }: Launch,
): readonly string[] {
  return [
    folder,
    String(Math.ceil(spec.stopGraceMs / 1000)),
    `${Math.ceil(maxAddressSpaceBytes / 1024)}:${Math.max(maxOutputBytes, LEAST_OUTPUT_BYTES)}`,
    user === undefined ? '' : `${user.uid}:${user.gid}:${user.maxProcesses}`,
    relative(folder, start),
    ...argv,
  ];
}

/** Of the argument vector of a holder's process: shell and script, five arguments of its own, the command. */
export function commandOf(argv: readonly string[]): string[] {
  const command = argv.slice(7);
  return command.length === 0 ? ['unknown'] : command;
}

export function graceOf(argv: readonly string[]): number {
  return (Number(argv[3]) || 0) * 1000;
}

async function claimed(folder: string, over: AbortSignal, failed: Promise<string>): Promise<void> {
  const end = performance.now() + CLAIM_BOUND_MS;
  for (;;) {
    // Read in this order: a holder that has ended has claimed before, or never will.
    const isOver = over.aborted;
    const claim = readClaim(folder);
    if (claim?.holder !== undefined) return;
    if (isOver) throw new LimpetError('plugin-failed', `the holder did not start: ${await failed}`);
    if (performance.now() > end)
      throw new LimpetError('plugin-failed', `no claim in ${folder} within ${CLAIM_BOUND_MS} ms`);
    await pause(CLAIM_POLL_MS);
  }
}
