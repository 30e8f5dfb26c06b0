/**
 * Downloads published archives and unpacks them: into a folder beside the wanted one, then renamed into place. The work,
 * and the node that it ran on, may be anybody's: nothing is written outside, links that lead out are left out.
 */
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ArchiveEntries, type ArchiveLimits } from '../../core/archive-entries.ts';
import { LimpetError } from '../../core/errors.ts';

/** Set-user and set-group bits of the work mean nothing here. */
const PLAIN_MODE = 0o777;

export interface PublishedResult {
  readonly Type: string;
  readonly Params?: Readonly<Record<string, unknown>> | null | undefined;
}

export interface Fetched {
  /** Relative. */
  readonly files: readonly string[];
  /** What was not unpacked, and why. */
  readonly leftOut: readonly string[];
}

/**
 * One archive is the folder; of several each is a folder in it, named as the archive. Errors: `already-exists`,
 * `refused` and `too-large` for an archive that is not unpacked, `unavailable`.
 */
export async function fetchResults(
  api: { download(url: string): Promise<Readable> },
  results: readonly PublishedResult[],
  { folder, limits }: { readonly folder: string; readonly limits: ArchiveLimits },
): Promise<Fetched> {
  const target = resolve(folder);
  if ((await readdir(target).catch(() => [])).length > 0)
    throw new LimpetError(
      'already-exists',
      `${folder} is there already; choose another with --output-dir`,
    );
  const urls = results.map(urlOf);
  await mkdir(dirname(target), { recursive: true });
  const leftOut: string[] = [];
  const temporary = await mkdtemp(join(dirname(target), '.limpet-get-'));
  try {
    for (const url of urls) {
      const into = urls.length === 1 ? temporary : join(temporary, archiveName(url));
      await mkdir(into, { recursive: true });
      leftOut.push(...(await unpack(await api.download(url), into, limits)));
    }
    await rename(temporary, target);
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
  }
  return { files: await listFiles(target), leftOut };
}

function urlOf(result: PublishedResult): string {
  const url = Object.entries(result.Params ?? {}).find(
    ([name]) => name.toLowerCase() === 'url',
  )?.[1];
  if (typeof url === 'string') return url;
  throw new LimpetError(
    'unimplemented',
    `results of type ${result.Type} cannot be fetched here; see \`limpet job describe\``,
  );
}

function archiveName(url: string): string {
  const path = new URL(url, 'http://results').pathname;
  const name = basename(path).replace(/\.(tar\.gz|tgz)$/, '');
  return name === 'result' ? basename(dirname(path)) : name;
}

/** Answers what was left out. */
async function unpack(archive: Readable, into: string, limits: ArchiveLimits): Promise<string[]> {
  const { extract, ReadEntry } = await import('tar');
  const entries = new ArchiveEntries(limits);
  const leftOut: string[] = [];
  const filter = (path: string, entry: object): boolean => {
    if (archive.destroyed || !(entry instanceof ReadEntry)) return false;
    entry.mode = (entry.mode ?? PLAIN_MODE) & PLAIN_MODE;
    try {
      const fault = entries.judge(entry);
      if (fault !== undefined) leftOut.push(`${path}: ${fault}`);
      return fault === undefined;
    } catch (thrown) {
      archive.destroy(LimpetError.from(thrown));
      return false;
    }
  };
  try {
    await pipeline(archive, extract({ cwd: into, strict: true, preserveOwner: false, filter }));
    return leftOut;
  } catch (cause) {
    const error = LimpetError.from(cause, 'unavailable');
    throw new LimpetError(error.code, `the results could not be fetched: ${error.message}`, {
      cause,
    });
  }
}

/** Links to files too; what lies behind a link to a folder is listed once, where it is. */
async function listFiles(folder: string, below = ''): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    const isFile =
      entry.isFile() ||
      (entry.isSymbolicLink() &&
        (await stat(join(folder, path)).catch(() => undefined))?.isFile() === true);
    if (isFile) files.push(path);
    else if (entry.isDirectory()) files.push(...(await listFiles(folder, path)));
  }
  return files.sort();
}
