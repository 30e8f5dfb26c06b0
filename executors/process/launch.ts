/** Starts the holder of a run and waits for its claim. */
import { open, type FileHandle } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { execa, type Options } from 'execa';
import { LimpetError, pause, readClaim, type RunContext } from '../../plugins/sdk/index.ts';
import type { Account } from './account.ts';
import { HOLDER } from './programs.ts';
import type { Params } from './settings.ts';

const CLAIM_BOUND_MS = 10_000;
const CLAIM_POLL_MS = 5;

export interface Launch {
  readonly env: Readonly<Record<string, string>>;
  readonly start: string;
  readonly limitAddressSpace: boolean;
  readonly account?: Account;
}

/**
 * Resolves when the run is claimed, by this holder or by an earlier one that was slower. Launching twice is harmless: the
 * claim is made with O_EXCL. Errors: `plugin-failed` when no holder comes up.
 */
export async function launchHolder(run: RunContext<Params>, launch: Launch): Promise<void> {
  const stdout = await open(join(run.folder, 'stdout'), 'a', 0o600);
  const stderr = await open(join(run.folder, 'stderr'), 'a', 0o600);
  try {
    const options: Options = {
      detached: true,
      cleanup: false,
      reject: false,
      extendEnv: false,
      env: launch.env,
      stdin: 'ignore',
      stdout: descriptor(stdout),
      stderr: descriptor(stderr),
    };
    const holder = execa('/bin/sh', [HOLDER, ...holderArguments(run, launch)], options);
    holder.unref();
    const over = new AbortController();
    const failed = holder.then(({ exitCode, originalMessage }) => {
      over.abort();
      return originalMessage ?? `it ended with ${exitCode ?? 'a signal'}`;
    });
    await claimed(run.folder, over.signal, failed);
  } finally {
    await stdout.close();
    await stderr.close();
  }
}

/** Passed on as it is, never piped through this process; execa's types know the numbers 1 and 2 only. */
function descriptor(file: FileHandle) {
  return file.fd as 1;
}

function holderArguments({ spec, folder }: RunContext<Params>, launch: Launch): readonly string[] {
  const { account, start, limitAddressSpace } = launch;
  return [
    folder,
    String(Math.ceil(spec.stopGraceMs / 1000)),
    String(limitAddressSpace ? Math.ceil(spec.limits.memoryBytes / 1024) : 0),
    account === undefined ? '' : `${account.uid}:${account.gid}:${account.maxProcesses}`,
    relative(folder, start),
    ...spec.params.Command,
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
