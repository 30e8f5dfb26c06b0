/** Downloads published archives and unpacks them: into a folder beside the wanted one, then renamed into place. */
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LimpetError } from '../../core/errors.ts';
import type { ApiClient } from '../api/client.ts';

export interface PublishedResult {
  readonly Type: string;
  readonly Params?: Readonly<Record<string, unknown>> | null | undefined;
}

/** One archive is the folder; of several each is a folder in it, named as the archive. Answers the files, relative. */
export async function fetchResults(
  api: ApiClient,
  results: readonly PublishedResult[],
  folder: string,
): Promise<string[]> {
  const target = resolve(folder);
  if ((await readdir(target).catch(() => [])).length > 0)
    throw new LimpetError(
      'already-exists',
      `${folder} is there already; choose another with --output-dir`,
    );
  const urls = results.map(urlOf);
  await mkdir(dirname(target), { recursive: true });
  const temporary = await mkdtemp(join(dirname(target), '.limpet-get-'));
  try {
    for (const url of urls) {
      const into = urls.length === 1 ? temporary : join(temporary, archiveName(url));
      await mkdir(into, { recursive: true });
      await unpack(api, url, into);
    }
    await rename(temporary, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return listFiles(target);
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

async function unpack(api: ApiClient, url: string, into: string): Promise<void> {
  const { extract } = await import('tar');
  const response = await api.download(url);
  try {
    await pipeline(response, extract({ cwd: into, strict: true, preserveOwner: false }));
  } catch (cause) {
    const error = LimpetError.from(cause, 'unavailable');
    throw new LimpetError(error.code, `the results could not be fetched: ${error.message}`, {
      cause,
    });
  }
}

async function listFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const files: string[] = [];
  for (const name of names.sort()) {
    const path = join(folder, name);
    if ((await stat(path).catch(() => undefined))?.isFile() === true)
      files.push(relative(folder, path));
  }
  return files;
}
