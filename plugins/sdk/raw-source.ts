/**
 * The output of a held run: its raw append-only files `stdout` and `stderr`, which outlive the plugin.
 *
 * The cursor is `<bytes of stdout>:<bytes of stderr>` already taken. A chunk ends after a line where one ends within
 * 64 KiB; an unfinished line is held back for a moment, then given as it is. Not one byte is skipped or given twice: a
 * plugin that dies after framing a chunk goes on behind it, one that dies before takes it again. What is durable in the
 * log is freed; should that log be lost, a gap tells of it.
 *
 * New bytes are noticed by the folder's bell, and the end by `look`, which the SDK calls; where neither can be relied on, by
 * looks. It ends when the run had ended before a last look that found nothing new.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { ignore } from '../../adapters/durable/if-there.ts';
import { FolderBell, type Pace } from './folder-bell.ts';
import { MAX_CHUNK_BYTES } from './log-writer.ts';
import { freeRaw } from './raw-free.ts';
import { parsePositions, readTaken } from './raw-taken.ts';
import type { LogChunk, LogSource } from './types.ts';

/** How long an unfinished line is held back. */
const PARTIAL_LINE_MS = 200;
const NEWLINE = 10;
const MOST_UNBROKEN_BYTES = 256 * 1024;

export interface RawSourceOptions {
  readonly folder: string;
  /** The run has ended: nothing writes to the files any more. */
  readonly hasEnded: () => boolean | Promise<boolean>;
  /** Where a file can be read that is not in the folder (any more). Answers undefined: nowhere now. */
  readonly elsewhere?: (name: RawName) => string | undefined;
}

export type RawName = 'stdout' | 'stderr';

export function rawSource(options: RawSourceOptions): LogSource {
  let waiting: FolderBell | undefined;
  let isToldOfEnd = false;
  const idle = (): Pace => (isToldOfEnd ? 'often' : 'seldom');
  return {
    read: (cursor, signal) => {
      const bell = new FolderBell(options.folder, { late: true });
      waiting = bell;
      return readRaw(options, { cursor, bell, idle }, signal);
    },
    look: () => {
      isToldOfEnd = true;
      waiting?.ring();
    },
    taken: (cursor) => freeRaw(options.folder, cursor),
  };
}

interface Reading {
  readonly cursor: string;
  readonly bell: FolderBell;
  /** The pace of looks while nothing is known that needs a quicker one. */
  readonly idle: () => Pace;
}

async function* readRaw(
  { folder, hasEnded, elsewhere }: RawSourceOptions,
  { cursor, bell: mine, idle }: Reading,
  signal: AbortSignal,
): AsyncGenerator<LogChunk> {
  using bell = mine;
  const wanted = parsePositions(cursor);
  const freed = readTaken(folder);
  const from = {
    stdout: Math.max(wanted.stdout, freed.stdout),
    stderr: Math.max(wanted.stderr, freed.stderr),
  };
  const gone = from.stdout - wanted.stdout + from.stderr - wanted.stderr;
  if (gone > 0) yield lost(gone, `${from.stdout}:${from.stderr}`);
  const placeOf = (name: RawName) => () => {
    const place = join(folder, name);
    return existsSync(place) ? place : elsewhere?.(name);
  };
  using stdout = new RawFile('stdout', placeOf('stdout'), from.stdout);
  using stderr = new RawFile('stderr', placeOf('stderr'), from.stderr);
  let ended = false;
  const breath = new Breath();
  while (!signal.aborted) {
    bell.reset();
    let found = false;
    for (const file of [stdout, stderr]) {
      const data = file.next(ended);
      if (data === undefined) continue;
      found = true;
      const position = `${stdout.position}:${stderr.position}`;
      yield { stream: file.name, timeMs: Date.now(), data, cursor: position };
      await breath.taken(data.length);
    }
    if (found) continue;
    if (ended) return;
    ended = await hasEnded();
    if (!ended) await bell.wait(signal, { pace: stdout.pace ?? stderr.pace ?? idle() });
  }
}

function lost(bytes: number, cursor: string): LogChunk {
  const text = `${bytes} bytes of output are missing here: the log that had them is lost`;
  return { stream: 'gap', timeMs: Date.now(), data: Buffer.from(text), cursor };
}

/** Reading and framing give no way to others by themselves. */
class Breath {
  #bytes = 0;

  async taken(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes < MOST_UNBROKEN_BYTES) return;
    this.#bytes = 0;
    await turn();
  }
}

/** One raw file and the bytes of it that were taken. */
class RawFile {
  readonly name: RawName;
  readonly #place: () => string | undefined;
  #fd: number | undefined;
  #partialSince: number | undefined;
  #isDeleted = false;
  position: number;

  constructor(name: RawName, place: () => string | undefined, position: number) {
    this.name = name;
    this.#place = place;
    this.position = position;
  }

  /** Soon: an unfinished line waits for its end. Often: the file is deleted, what is written to it rings no bell. */
  get pace(): Pace | undefined {
    if (this.#partialSince !== undefined) return 'soon';
    return this.#isDeleted ? 'often' : undefined;
  }

  /** The next bytes, up to the end of a line; undefined when there is nothing to give now. */
  next(ended: boolean): Uint8Array | undefined {
    // Not by way of the thread pool: most looks find nothing, and what there is has just been written.
    this.#fd ??= this.#open();
    if (this.#fd === undefined) return undefined;
    const { size, nlink } = fstatSync(this.#fd);
    this.#isDeleted = nlink === 0;
    const waiting = size - this.position;
    if (waiting <= 0) return undefined;
    const room = Buffer.allocUnsafe(Math.min(waiting, MAX_CHUNK_BYTES));
    const bytesRead = readSync(this.#fd, room, 0, room.length, this.position);
    if (bytesRead === 0) return undefined;
    const take = this.#cut(room.subarray(0, bytesRead), ended);
    if (take === 0) return undefined;
    this.#partialSince = undefined;
    this.position += take;
    return room.subarray(0, take);
  }

  #open(): number | undefined {
    const place = this.#place();
    if (place === undefined) return undefined;
    try {
      return openSync(place, 'r');
    } catch (thrown) {
      return ignore('ENOENT', undefined)(thrown);
    }
  }

  /** How many bytes to give: whole lines; all when there is no hope of one, 0 to wait a little for the line's end. */
  #cut(bytes: Buffer, ended: boolean): number {
    const lines = bytes.lastIndexOf(NEWLINE) + 1;
    if (lines > 0) return lines;
    if (ended || bytes.length === MAX_CHUNK_BYTES) return bytes.length;
    this.#partialSince ??= performance.now();
    return performance.now() - this.#partialSince >= PARTIAL_LINE_MS ? bytes.length : 0;
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
