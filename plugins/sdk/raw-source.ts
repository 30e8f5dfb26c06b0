/**
 * The output of a held run: its raw append-only files `stdout` and `stderr`, which outlive the plugin.
 *
 * The cursor is `<bytes of stdout>:<bytes of stderr>` already taken. A chunk ends after a line where one ends within
 * 64 KiB; an unfinished line is held back for a moment, then given as it is. Not one byte is skipped or given twice: a
 * plugin that dies after framing a chunk goes on behind it, one that dies before takes it again. What is durable in the
 * log is freed; should that log be lost, a gap tells of it.
 *
 * While its disk is full a run cannot print: where that was, a gap tells.
 *
 * New bytes are noticed by the folder's bell, and the end by `look`, which the SDK calls; where neither can be relied on, by
 * looks. It ends when the run had ended before a last look that found nothing new.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { FolderBell, type Pace } from './folder-bell.ts';
import { gapOf, RawFiles, type Elsewhere } from './raw-files.ts';
import { FullDisk } from './raw-full.ts';
import { freeRaw } from './raw-free.ts';
import { parsePositions, readTaken } from './raw-taken.ts';
import type { LogChunk, LogSource } from './types.ts';

const MOST_UNBROKEN_BYTES = 256 * 1024;

export interface RawSourceOptions {
  readonly folder: string;
  /** The run has ended: nothing writes to the files any more. */
  readonly hasEnded: () => boolean | Promise<boolean>;
  readonly elsewhere?: Elsewhere;
}

export function rawSource(options: RawSourceOptions): LogSource {
  let waiting: FolderBell | undefined;
  let isToldOfEnd = false;
  const full = new FullDisk(options.folder);
  const idle = (): Pace => (isToldOfEnd ? 'often' : 'seldom');
  return {
    read: (cursor, signal) => {
      const bell = new FolderBell(options.folder, { late: true });
      waiting = bell;
      return readRaw(options, { cursor, bell, idle, full }, signal);
    },
    look: () => {
      isToldOfEnd = true;
      waiting?.ring();
    },
    taken: (cursor) => freeRaw(options.folder, cursor),
    diskIsFull: () => full.note(),
  };
}

interface Reading {
  readonly cursor: string;
  readonly bell: FolderBell;
  /** The pace of looks while nothing is known that needs a quicker one. */
  readonly idle: () => Pace;
  readonly full: FullDisk;
}

async function* readRaw(
  { folder, hasEnded, elsewhere }: RawSourceOptions,
  { cursor, bell: mine, idle, full }: Reading,
  signal: AbortSignal,
): AsyncGenerator<LogChunk> {
  using bell = mine;
  const wanted = parsePositions(cursor);
  const freed = readTaken(folder);
  using files = new RawFiles(folder, elsewhere, {
    stdout: Math.max(wanted.stdout, freed.stdout),
    stderr: Math.max(wanted.stderr, freed.stderr),
  });
  const gone = files.bytes - wanted.stdout - wanted.stderr;
  const lost = `${gone} bytes of output are missing here: the log that had them is lost`;
  if (gone > 0) yield gapOf(lost, files.position);
  let ended = false;
  const breath = new Breath();
  while (!signal.aborted) {
    bell.reset();
    let found = false;
    for (const chunk of files.next(ended, full)) {
      found = true;
      yield chunk;
      await breath.taken(chunk.data.length);
    }
    if (found) continue;
    if (full.text !== undefined && (ended || (files.haveReached(full) && full.hasEnded()))) {
      yield gapOf(full.text, files.position);
      full.forget();
      continue;
    }
    if (ended) return;
    ended = await hasEnded();
    if (ended) continue;
    full.look();
    await bell.wait(signal, { pace: files.pace ?? idle(), news: () => full.hasEnded() });
  }
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
