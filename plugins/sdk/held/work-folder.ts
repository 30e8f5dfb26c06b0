/**
 * The folder in which a command runs: `<run folder>/work`. Each mount is a symbolic link in it at its target without the
 * leading slash: what a container sees as `/input` is `./input` here. Links do not enforce `readOnly`. No link is made
 * below another one: it would be made in the folder of the node that the other leads to.
 *
 * With a user of their own commands may not enter the agent's folders: inputs that it has staged are then handed in, and links
 * to the folders of results are relative, so that they lead through the run folder alone.
 */
import { chmod, chown, lstat, mkdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { LimpetError } from '../../../core/errors.ts';
import type { Mount, RunContext } from '../types.ts';
import { handIn } from './hand-in.ts';
import type { HeldCommand, HeldUser } from './types.ts';

const FOLDER_MODE = 0o755;
/** They may pass, and not look around. */
const PASS_MODE = 0o711;

/** Makes it, again and again if need be; answers where the command starts. Errors: `refused`. */
export async function makeWorkFolder(
  run: RunContext,
  { cwd = '.', user }: Pick<HeldCommand, 'cwd' | 'user'>,
): Promise<string> {
  const work = join(run.folder, 'work');
  // Nothing has begun: what is there is of a start that was cut off, and what was handed in may be half there.
  if (user !== undefined) await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true, mode: 0o755 });
  for (const mount of run.spec.mounts) await place(mount, { run, work, user });
  if (user !== undefined) await handOver(run, work, user);
  const start = inside(work, cwd);
  const found = await stat(start).catch(() => undefined);
  if (found?.isDirectory() !== true)
    throw new LimpetError(
      'refused',
      `WorkingDirectory '${cwd}' is not a folder in the run's work folder`,
    );
  return start;
}

interface Place {
  readonly run: RunContext;
  readonly work: string;
  readonly user: HeldUser | undefined;
}

async function place(mount: Mount, { run, work, user }: Place): Promise<void> {
  const { source, target } = mount;
  const at = inside(work, target);
  if (user !== undefined && isOwn(run, mount)) return link(relative(dirname(at), source), at, work);
  if (user === undefined || !isStaged(run, source)) return link(source, at, work);
  await makeFolder(dirname(at), work);
  try {
    await handIn(source, at);
  } catch (thrown) {
    throw notMade(at, thrown);
  }
}

/** A folder that is made for results. */
function isOwn({ folder }: RunContext, { source, readOnly }: Mount): boolean {
  return !readOnly && source.startsWith(folder + sep);
}

/** DATA/inputs/EXECUTION, where the run folder is DATA/runs/process/EXECUTION/RUN. */
function isStaged({ folder, spec }: RunContext, source: string): boolean {
  const data = join(folder, '../../../..');
  return source.startsWith(join(data, 'inputs', spec.key.executionId) + sep);
}

/** The command may write its own folder and what is made for its results. */
async function handOver(run: RunContext, work: string, user: HeldUser): Promise<void> {
  await chmod(work, FOLDER_MODE);
  const own = run.spec.mounts.filter((mount) => isOwn(run, mount)).map(({ source }) => source);
  for (const folder of [work, ...own]) await chown(folder, user.uid, user.gid);
  for (const source of own)
    for (let way = dirname(source); way.startsWith(run.folder); way = dirname(way))
      await chmod(way, PASS_MODE);
}

/** Where a path of the job's world lies. `..` cannot lead out. */
function inside(work: string, path: string): string {
  return join(work, normalize(join(sep, path)));
}

async function link(source: string, at: string, work: string): Promise<void> {
  await makeFolder(dirname(at), work);
  try {
    await symlink(source, at);
  } catch (thrown) {
    if ((await readlink(at).catch(() => undefined)) === source) return;
    throw notMade(at, thrown);
  }
}

function notMade(at: string, cause: unknown): LimpetError {
  return new LimpetError('refused', `the mount at ${at} cannot be made`, { cause });
}

async function makeFolder(folder: string, work: string): Promise<void> {
  if (folder === work || folder === dirname(work)) return;
  await makeFolder(dirname(folder), work);
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) {
    await mkdir(folder);
    await chmod(folder, FOLDER_MODE);
  }
  if (found !== undefined && !found.isDirectory())
    throw new LimpetError(
      'refused',
      `a mount lies below another one, at ${relative(work, folder)}; a run that is a process of this host cannot have that`,
    );
}
