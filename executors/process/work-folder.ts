/**
 * The folder in which a command runs: `<run folder>/work`. Each mount is a symbolic link in it at its target without the
 * leading slash: what a container sees as `/input` is `./input` here. Links do not enforce `readOnly`. No link is made
 * below another one: it would be made in the folder of the node that the other leads to.
 */
import { chown, lstat, mkdir, readlink, stat, symlink } from 'node:fs/promises';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { LimpetError, type RunContext } from '../../plugins/sdk/index.ts';
import type { Params } from './settings.ts';
import type { Account } from './account.ts';

/** Makes it, again and again if need be; answers where the command starts. Errors: `refused`. */
export async function makeWorkFolder(run: RunContext<Params>, account?: Account): Promise<string> {
  const work = join(run.folder, 'work');
  await mkdir(work, { recursive: true, mode: 0o755 });
  for (const { source, target } of run.spec.mounts) await link(source, inside(work, target), work);
  if (account !== undefined) await handOver(run, work, account);
  const start = inside(work, run.spec.params.WorkingDirectory ?? '.');
  const found = await stat(start).catch(() => undefined);
  if (found?.isDirectory() !== true)
    throw new LimpetError(
      'refused',
      `WorkingDirectory '${run.spec.params.WorkingDirectory}' is not a folder in the run's work folder`,
    );
  return start;
}

/** The command may write its own folder and what is made for its results. */
async function handOver(run: RunContext<Params>, work: string, account: Account): Promise<void> {
  const own = run.spec.mounts.filter(
    ({ source, readOnly }) => !readOnly && source.startsWith(run.folder + sep),
  );
  for (const folder of [work, ...own.map(({ source }) => source)])
    await chown(folder, account.uid, account.gid);
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
    throw new LimpetError('refused', `the mount at ${at} cannot be made`, { cause: thrown });
  }
}

async function makeFolder(folder: string, work: string): Promise<void> {
  if (folder === work || folder === dirname(work)) return;
  await makeFolder(dirname(folder), work);
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) await mkdir(folder);
  else if (!found.isDirectory())
    throw new LimpetError(
      'refused',
      `a mount lies below another one, at ${relative(work, folder)}; the process executor cannot do that`,
    );
}
