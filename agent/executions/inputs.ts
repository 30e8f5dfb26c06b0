/**
 * Input sources: `inline` is written below the agent's inputs folder and `url` downloaded there, `local` is mounted from
 * where it is, if the operator allows it. Staging again gives the same mounts.
 * Everything that is wrong with a source is `refused`: another attempt here would not help.
 */
import { existsSync } from 'node:fs';
import { mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { ArchiveLimits } from '../../core/archive-entries.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { InputSource } from '../../core/job.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import { removeFolder, syncTree } from '../../adapters/durable/folders.ts';
import { URL_SOURCE, urlSource } from '../../core/url-source.ts';
import { offeredSources } from '../inputs/config.ts';
import { unpackHere } from '../inputs/unpack.ts';
import { download, type DownloadPorts } from '../inputs/download.ts';
import type { RunOrder } from '../plugins/port.ts';
import { writeInput, type SharedInputs } from './shared-inputs.ts';

export type Mount = RunOrder['mounts'][number];

export interface LocalAllowance {
  /** Absolute path; the source must be it or lie below it, after links are resolved. */
  readonly path: string;
  readonly writable: boolean;
}

export interface InputOptions {
  readonly folder: string;
  readonly allowLocal: readonly LocalAllowance[];
  /** Of one inline archive. */
  readonly archive: ArchiveLimits;
  /** Missing: this node downloads nothing. */
  readonly downloads?: DownloadPorts;
}

export interface Staging {
  /** Files are shared: the runs cannot write to them. */
  readonly shared?: SharedInputs | undefined;
  readonly signal: AbortSignal;
  readonly progress: (now: LiveProgress) => void;
}

export async function stageInputs(
  record: ExecutionRecord,
  options: InputOptions,
  staging: Staging,
): Promise<readonly Mount[]> {
  const { executionId, task, deadlineAt } = record.placement;
  const mounts: Mount[] = [];
  for (const [index, input] of (task.InputSources ?? []).entries()) {
    const where = `input ${index} (${input.Source.Type}) for ${input.Target}`;
    const target = join(options.folder, executionId, String(index));
    const source = { executionId, input, target, where, deadlineAt, ...staging };
    mounts.push(await stageOne(source, options));
  }
  return mounts;
}

export async function removeInputs(executionId: string, options: InputOptions): Promise<void> {
  const folder = join(options.folder, executionId);
  if (existsSync(folder)) await removeFolder(folder);
}

interface Source extends Staging {
  readonly executionId: string;
  readonly input: InputSource;
  /** Where it is staged. */
  readonly target: string;
  /** For messages. */
  readonly where: string;
  readonly deadlineAt: number | undefined;
}

async function stageOne(source: Source, options: InputOptions): Promise<Mount> {
  const { input, where } = source;
  const { Type, Params } = input.Source;
  if (Type === 'inline') return stageInline(source, options.archive);
  if (Type === 'local') return stageLocal(input, Params ?? {}, options, where);
  if (Type === URL_SOURCE && options.downloads !== undefined)
    return stageUrl(source, options.downloads);
  throw new LimpetError(
    'refused',
    `${where}: this node has no source '${Type}'; it has ${offeredSources({ enabled: options.downloads !== undefined }).join(', ')}`,
  );
}

/** The file stands in the folder `Target` under its own name, as in Bacalhau. */
async function stageUrl(source: Source, ports: DownloadPorts): Promise<Mount> {
  const { input, target, where, deadlineAt, signal } = source;
  const order = {
    source: urlSource(input.Source.Params, ['Params']),
    ...{ folder: target, deadlineAt, signal },
    progress: source.progress,
  };
  try {
    const name = await download(order, ports);
    return { source: join(target, name), target: join(input.Target, name), readOnly: true };
  } catch (thrown) {
    const { code, message } = LimpetError.from(thrown);
    throw new LimpetError(code, `${where}: ${message}`, { cause: thrown });
  }
}

/** An archive is durable before it gets its name, so one that is there is whole. */
async function stageInline(
  { executionId, input, target, where, shared }: Source,
  limits: ArchiveLimits,
): Promise<Mount> {
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
      await unpackHere(bytes, partial, limits);
    } catch (thrown) {
      throw new LimpetError('refused', `${where}: ${messageOf(thrown)}`, { cause: thrown });
    }
    await syncTree(partial);
    await rename(partial, target);
    return mount;
  }
  if (shared !== undefined) return { ...mount, source: shared.stage(executionId, bytes) };
  writeInput(target, bytes);
  return mount;
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
