/**
 * Input sources: `inline` is written below the agent's inputs folder, `local` is mounted from where it is, if the
 * operator allows it. Staging again gives the same mounts.
 * Everything that is wrong with a source is `refused`: another attempt here would not help.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { InputSource } from '../../core/job.ts';
import { syncTree } from '../../adapters/durable/folders.ts';
import { ignore } from '../../adapters/durable/if-there.ts';
import type { RunOrder } from '../plugins/port.ts';

export type Mount = RunOrder['mounts'][number];

export interface LocalAllowance {
  /** Absolute path; the source must be it or lie below it, after links are resolved. */
  readonly path: string;
  readonly writable: boolean;
}

export interface InputOptions {
  readonly folder: string;
  readonly allowLocal: readonly LocalAllowance[];
}

export async function stageInputs(
  record: ExecutionRecord,
  options: InputOptions,
): Promise<readonly Mount[]> {
  const sources = record.placement.task.InputSources ?? [];
  const mounts: Mount[] = [];
  for (const [index, source] of sources.entries()) {
    const where = `input ${index} (${source.Source.Type}) for ${source.Target}`;
    const target = join(options.folder, record.placement.executionId, String(index));
    mounts.push(await stageOne(source, target, options, where));
  }
  return mounts;
}

export async function removeInputs(executionId: string, options: InputOptions): Promise<void> {
  await rm(join(options.folder, executionId), { recursive: true, force: true });
}

async function stageOne(
  input: InputSource,
  target: string,
  options: InputOptions,
  where: string,
): Promise<Mount> {
  const { Type, Params } = input.Source;
  if (Type === 'inline') return stageInline(input, target, where);
  if (Type === 'local') return stageLocal(input, Params ?? {}, options, where);
  throw new LimpetError(
    'refused',
    `${where}: this node has no source '${Type}'; it has inline and local`,
  );
}

/**
 * Staged again, a file is compared, as a power loss may have torn it: that costs less than making it durable. An archive
 * is durable before it gets its name, so one that is there is whole.
 */
async function stageInline(input: InputSource, target: string, where: string): Promise<Mount> {
  const mount = { source: target, target: input.Target, readOnly: true };
  const url = input.Source.Params?.['URL'];
  const match = typeof url === 'string' ? /^data:([^,]*),/s.exec(url) : null;
  if (match === null || typeof url !== 'string')
    throw new LimpetError('refused', `${where}: URL must be a data: URL`);
  const head = match[1] ?? '';
  const body = url.slice(match[0].length);
  const bytes = head.endsWith(';base64')
    ? Buffer.from(body, 'base64')
    : Buffer.from(decodeURIComponent(body));
  if (head.startsWith('application/gzip')) {
    if (existsSync(target)) return mount;
    const partial = `${target}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    try {
      await pipeline(Readable.from([bytes]), extract({ cwd: partial, strict: true }));
    } catch (thrown) {
      throw new LimpetError('refused', `${where}: not a tar.gz archive: ${messageOf(thrown)}`, {
        cause: thrown,
      });
    }
    await syncTree(partial);
    await rename(partial, target);
  } else if (!holds(target, bytes)) {
    mkdirSync(join(target, '..'), { recursive: true });
    writeFileSync(`${target}.partial`, bytes, { mode: 0o644 });
    renameSync(`${target}.partial`, target);
  }
  return mount;
}

function holds(file: string, bytes: Buffer): boolean {
  try {
    return readFileSync(file).equals(bytes);
  } catch (thrown) {
    return ignore('ENOENT', false)(thrown);
  }
}

async function stageLocal(
  input: InputSource,
  params: Readonly<Record<string, unknown>>,
  options: InputOptions,
  where: string,
): Promise<Mount> {
  const path = params['SourcePath'];
  if (typeof path !== 'string' || !path.startsWith('/'))
    throw new LimpetError('refused', `${where}: SourcePath must be an absolute path`);
  const writable = params['ReadWrite'] === true || params['ReadWrite'] === 'true';
  let real: string;
  try {
    real = await realpath(path);
    await stat(real);
  } catch (thrown) {
    throw new LimpetError(
      'refused',
      `${where}: ${path} is not on this node: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
  const allowed = options.allowLocal.find(
    (a) =>
      (real === a.path || real.startsWith(a.path.endsWith(sep) ? a.path : a.path + sep)) &&
      (!writable || a.writable),
  );
  if (allowed === undefined)
    throw new LimpetError(
      'refused',
      `${where}: ${path} is not allowed on this node${writable ? ' for writing' : ''}; its operator can add it to allowLocal in the agent's config`,
    );
  return { source: real, target: input.Target, readOnly: !writable };
}
