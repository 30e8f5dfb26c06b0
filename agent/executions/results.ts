/**
 * Results: result paths are folders of the run's folder, mounted writable at their path. Publishing to `local` moves
 * them, with stdout, stderr and exitCode, into `results/<execution>/`, which appears whole or not at all; doing it
 * again after a crash at any point gives the same folder.
 */
import { existsSync, Stats } from 'node:fs';
import { chmod, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { create } from 'tar';
import type { ArchiveLimits } from '../../core/archive-entries.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionRecord, PublishedResult } from '../../core/execution/record.ts';
import {
  LogsResponse_Stream,
  type LogsResponse_Frame,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import type { ExecutorClient } from '../plugins/port.ts';
import { exists } from './exists.ts';
import { runFolder, type AgentFolders } from './folders.ts';
import type { Mount } from './inputs.ts';
import { OutputHeads } from './output-heads.ts';
import { checkResults } from './result-check.ts';

/** With several at work tar (7.5.14 to 7.5.23) waits without end for files that have several names: its issue 460. */
const ONE_AT_A_TIME = { jobs: 1 };
/** Of an archive on its way. */
const PIECE_BYTES = 64 * 1024;

export interface Collected {
  readonly result?: PublishedResult;
  readonly output: { readonly stdout: string; readonly stderr: string };
}

/** Makes the folders of the result paths; the mounts of one run. */
export async function resultMounts(
  record: ExecutionRecord,
  folders: AgentFolders,
): Promise<readonly Mount[]> {
  const folder = join(runFolder(folders, record), 'outputs');
  const mounts: Mount[] = [];
  for (const { Name, Path } of record.placement.task.ResultPaths ?? []) {
    const source = join(folder, Name);
    await mkdir(source, { recursive: true });
    // The work may run as any user.
    await chmod(source, 0o777);
    mounts.push({ source, target: Path, readOnly: false });
  }
  return mounts;
}

export function hasPublisher({ placement: { task } }: ExecutionRecord): boolean {
  return task.Publisher?.Type === 'local';
}

export interface Publishing {
  readonly folders: AgentFolders;
  readonly client: ExecutorClient;
  readonly limits: ArchiveLimits;
}

/**
 * Publishes where the job asks for it, and reads the first 2 KiB of each stream for its owner. Errors: `too-large`, and
 * those of the moment.
 */
export async function collect(
  record: ExecutionRecord,
  { folders, client, limits }: Publishing,
): Promise<Collected> {
  if (!hasPublisher(record)) return { output: await readHeads(record, client) };
  const id = record.placement.executionId;
  const final = join(folders.results, id);
  if (!(await exists(final))) await moveResults(record, { folders, client, limits }, final);
  return {
    result: { type: 'local', params: { executionId: id } },
    output: await readHeads(record, client),
  };
}

/** The published folder as a tar.gz. After the signal no further file is opened. Throws `not-found`. */
export async function resultArchive(
  folders: AgentFolders,
  executionId: string,
): Promise<(signal: AbortSignal) => AsyncIterable<Uint8Array>> {
  const folder = join(folders.results, executionId);
  if (!(await exists(folder)))
    throw new LimpetError(
      'not-found',
      `execution ${executionId} has no published results on this node`,
    );
  return async function* (signal) {
    const filter = (path: string, entry: object): boolean =>
      !signal.aborted && isArchived(path, entry);
    const archive = create({ ...ONE_AT_A_TIME, cwd: folder, portable: true, filter }, ['.']);
    // Not by tar, which would compress on the thread that everything else of the agent runs on.
    const packed = createGzip({ chunkSize: PIECE_BYTES });
    archive.on('error', (thrown) => packed.destroy(LimpetError.from(thrown))).pipe(packed);
    try {
      yield* packed;
    } finally {
      packed.destroy();
      archive.unpipe(packed);
      // tar closes a file only when it was read to its end.
      archive.resume();
    }
  };
}

/** A pipe or a socket would break the archive. */
function isArchived(_path: string, entry: object): boolean {
  if (!(entry instanceof Stats)) return true;
  return entry.isFile() || entry.isDirectory() || entry.isSymbolicLink();
}

async function moveResults(
  record: ExecutionRecord,
  { folders, client, limits }: Publishing,
  final: string,
): Promise<void> {
  const partial = `${final}.partial`;
  await mkdir(partial, { recursive: true });
  const outputs = join(runFolder(folders, record), 'outputs');
  const paths = record.placement.task.ResultPaths ?? [];
  const there = paths.map(({ Name }) => join(outputs, Name)).filter((path) => existsSync(path));
  await checkResults(there, limits);
  for (const { Name } of paths) {
    const source = join(outputs, Name);
    const target = join(partial, Name);
    // A source that is gone was moved before the last crash.
    if (!(await exists(source))) await mkdir(target, { recursive: true });
    else {
      await rm(target, { recursive: true, force: true });
      await rename(source, target);
    }
  }
  await writeStreams(record, client, partial);
  const code = record.outcome?.code;
  await writeFile(join(partial, 'exitCode'), code === undefined ? '' : String(code));
  await rename(partial, final);
}

async function writeStreams(
  record: ExecutionRecord,
  client: ExecutorClient,
  folder: string,
): Promise<void> {
  const files = {
    stdout: await open(join(folder, 'stdout'), 'w'),
    stderr: await open(join(folder, 'stderr'), 'w'),
  };
  try {
    for await (const frames of logFrames(record, client))
      for (const { stream, data } of frames) {
        if (stream === LogsResponse_Stream.STDOUT) await files.stdout.write(data);
        if (stream === LogsResponse_Stream.STDERR) await files.stderr.write(data);
      }
  } finally {
    await files.stdout.close();
    await files.stderr.close();
  }
}

async function readHeads(
  record: ExecutionRecord,
  client: ExecutorClient,
): Promise<Collected['output']> {
  const heads = new OutputHeads();
  for await (const frames of logFrames(record, client)) {
    heads.add(frames);
    if (heads.full) break;
  }
  return heads.text;
}

async function* logFrames(
  record: ExecutionRecord,
  client: ExecutorClient,
): AsyncIterable<readonly LogsResponse_Frame[]> {
  const request = {
    executionId: record.placement.executionId,
    fromOffset: 0n,
    follow: false,
    tailLines: 0,
  };
  const stop = new AbortController();
  try {
    for await (const { frames } of client.logs(request, stop.signal)) yield frames;
  } finally {
    stop.abort();
  }
}
