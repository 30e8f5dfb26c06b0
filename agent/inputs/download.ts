/**
 * Downloads one file for an execution, as `<folder>/<name>`. The folder appears whole and durable, or not at all: what a
 * crash has left of an attempt is begun anew. Moments that pass (time-outs, 5xx, a full disk) are tried again a bounded
 * number of times, then the work is refused.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { backoffMs } from '../../core/backoff.ts';
import { LimpetError } from '../../core/errors.ts';
import { liveProgress, type LiveProgress, type ToldProgress } from '../../core/live-progress.ts';
import type { UrlSource } from '../../core/url-source.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import { syncFolder, syncTree } from '../../adapters/durable/folders.ts';
import { ignore } from '../../adapters/durable/if-there.ts';
import { trusted } from './authorities.ts';
import type { Destinations } from './destinations.ts';
import { fetchError, fetchUrl, shownUrl, type Fetched, type FetchLimits } from './fetch.ts';

export interface DownloadLimits extends FetchLimits {
  readonly maxBytes: number;
  /** Of one attempt. */
  readonly totalMs: number;
  readonly attempts: number;
  /** Before the second attempt; doubles with each. */
  readonly retryMs: number;
  /** Left alone on the disk. */
  readonly minFreeBytes: number;
}

export interface Download {
  readonly source: UrlSource;
  readonly folder: string;
  /** Of the execution, ms since the epoch: it ends the download too. */
  readonly deadlineAt: number | undefined;
  readonly signal: AbortSignal;
  readonly progress: (now: LiveProgress) => void;
}

export interface DownloadPorts {
  readonly destinations: Destinations;
  readonly limits: DownloadLimits;
  readonly clock: Clock;
  /** Of authorities that are trusted beside those of Node. */
  readonly caFile?: string;
}

const MOST_RETRY_MS = 30_000;
const LOOK_AT_DISK_BYTES = 16 * 1024 ** 2;
const MOST_NAME_BYTES = 200;
/** Of a URL that ends in a slash. */
const NAMELESS = 'download';

/** Answers the name of the file. Errors: `refused`, `cancelled`; past the deadline `timeout`, for whoever looks to end the work. */
export async function download(order: Download, ports: DownloadPorts): Promise<string> {
  const there = await stagedName(order.folder);
  if (there !== undefined) return there;
  tellBytes(order, undefined, 0);
  const { attempts, retryMs } = ports.limits;
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptOnce(order, ports);
    } catch (thrown) {
      const error = LimpetError.from(thrown);
      const mayPass = error.code === 'unavailable' || error.code === 'timeout';
      if (!mayPass || leftMs(order, ports.clock) <= 0) throw error;
      if (attempt >= attempts)
        throw new LimpetError('refused', `given up after ${attempts} attempts: ${error.message}`, {
          cause: error,
        });
      const message = `attempt ${attempt} of ${attempts} failed: ${error.message}`;
      tell(order, { message });
      const backoff = { firstMs: retryMs, lastMs: MOST_RETRY_MS };
      await ports.clock.sleep(backoffMs(backoff, attempt - 1), order.signal);
    }
  }
}

function leftMs({ deadlineAt }: Download, clock: Clock): number {
  return deadlineAt === undefined ? Number.POSITIVE_INFINITY : deadlineAt - clock.now();
}

async function stagedName(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(ignore('ENOENT', []));
  return names[0];
}

async function attemptOnce(order: Download, ports: DownloadPorts): Promise<string> {
  const { source, folder } = order;
  const { limits, destinations, clock, caFile } = ports;
  const over = new AbortController();
  const cancel = (): void => over.abort();
  const totalMs = Math.min(limits.totalMs, Math.max(0, leftMs(order, clock)));
  const timer = clock.after(totalMs, cancel);
  order.signal.addEventListener('abort', cancel, { once: true });
  if (order.signal.aborted) cancel();
  const partial = `${folder}.partial`;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    const trust = caFile === undefined ? {} : { trust: () => trusted(caFile) };
    const asked = { url: source.url, destinations, limits, signal: over.signal, ...trust };
    const fetched = await fetchUrl(asked);
    const name = nameOf(fetched.url);
    await write(fetched, join(partial, name), { order, ports, signal: over.signal });
    await syncTree(partial);
    await rename(partial, folder);
    await Promise.all([dirname(folder), dirname(dirname(folder))].map(syncFolder));
    return name;
  } catch (thrown) {
    await rm(partial, { recursive: true, force: true });
    const error = fetchError(source.url, thrown);
    // Some versions of Node tell an abort as a broken connection.
    if (!over.signal.aborted || error.code === 'refused') throw error;
    if (order.signal.aborted)
      throw new LimpetError('cancelled', 'the download was cancelled', { cause: thrown });
    const late = `${shownUrl(source.url)}: not there within ${totalMs} ms`;
    throw new LimpetError('timeout', late, { cause: thrown });
  } finally {
    timer.cancel();
    order.signal.removeEventListener('abort', cancel);
  }
}

interface Writing {
  readonly order: Download;
  readonly ports: DownloadPorts;
  readonly signal: AbortSignal;
}

async function write(fetched: Fetched, file: string, writing: Writing): Promise<void> {
  const { source } = writing.order;
  const { limits } = writing.ports;
  const most = Math.min(limits.maxBytes, source.maxBytes ?? limits.maxBytes);
  const hash = createHash('sha256');
  if ((fetched.contentLength ?? 0) > most) {
    fetched.body.destroy();
    throw tooLarge(fetched, most);
  }
  await haveRoom(file, fetched.contentLength ?? 0, limits.minFreeBytes);
  tellBytes(writing.order, fetched, 0);
  const counted = counter(fetched, { ...writing, most, file });
  const out = createWriteStream(file, { flags: 'wx' });
  await pipeline(fetched.body, counted, hashing(hash), out, { signal: writing.signal });
  // Containers run as whom their image says, and the service's umask would let root alone read.
  await chmod(file, 0o644);
  const found = hash.digest('hex');
  if (source.sha256 !== undefined && found !== source.sha256)
    throw new LimpetError(
      'refused',
      `${shownUrl(fetched.url)} has the checksum sha256:${found}; expected sha256:${source.sha256}`,
    );
}

/** Passes on what may come, and tells how far it is. */
function counter(
  fetched: Fetched,
  { order, ports, most, file }: Writing & { readonly most: number; readonly file: string },
): Transform {
  let bytes = 0;
  let looked = 0;
  const check = async (): Promise<void> => {
    if (bytes > most) throw tooLarge(fetched, most);
    if (bytes - looked >= LOOK_AT_DISK_BYTES) {
      looked = bytes;
      await haveRoom(file, 0, ports.limits.minFreeBytes);
    }
    tellBytes(order, fetched, bytes);
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      check().then(
        () => done(null, chunk),
        (thrown: unknown) => done(LimpetError.from(thrown)),
      );
    },
  });
}

/** `fetched` is undefined before its server has answered. */
function tellBytes(order: Download, fetched: Fetched | undefined, doneBytes: number): void {
  const item = shownUrl(order.source.url);
  const totalBytes = fetched?.contentLength;
  tell(order, { kind: 'download', item, message: item, doneBytes, totalBytes });
}

function tell({ progress }: Download, told: ToldProgress): void {
  const now = liveProgress(told);
  if (now !== undefined) progress(now);
}

function hashing(hash: ReturnType<typeof createHash>): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

async function haveRoom(file: string, bytes: number, minFree: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(file));
  const free = bavail * bsize;
  if (free - bytes >= minFree) return;
  throw new LimpetError(
    'unavailable',
    `no room: ${free} bytes are free on the disk of the agent's data folder, ${minFree} of them are kept free`,
  );
}

function tooLarge(fetched: Fetched, most: number): LimpetError {
  const size = fetched.contentLength === undefined ? '' : ` (${fetched.contentLength})`;
  return new LimpetError(
    'refused',
    `${shownUrl(fetched.url)} has more than ${most} bytes${size}; MaxBytes of the source and urlDownload.maxBytes of the node bound it`,
  );
}

/** The last part of the path of the last hop, decoded, as in Bacalhau; what is no plain name is called `download`. */
export function nameOf(url: URL): string {
  const name = posix.basename(decoded(url.pathname));
  // Control characters would be written to terminals and logs as they are.
  const plain = !/[\0-\x1f\x7f]/.test(name) && name !== '.' && name !== '..';
  return plain && name !== '' && Buffer.byteLength(name) <= MOST_NAME_BYTES ? name : NAMELESS;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
