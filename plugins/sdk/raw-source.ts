/**
 * The output of a held run: its raw append-only files `stdout` and `stderr`, which outlive the plugin.
 *
 * The cursor is `<bytes of stdout>:<bytes of stderr>` already taken. A chunk ends after a line where one ends within
 * 64 KiB; an unfinished line is held back for a moment, then given as it is. Not one byte is skipped or given twice: a
 * plugin that dies after framing a chunk goes on behind it, one that dies before takes it again.
 *
 * New bytes are noticed by fs.watch and, where that fails, by a look every 100 ms. It ends when the run had ended before
 * a last look that found nothing new.
 */
import { watch } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ignore } from '../../adapters/durable/if-there.ts';
import { MAX_CHUNK_BYTES } from './log-writer.ts';
import type { LogChunk, LogSource } from './types.ts';

const POLL_MS = 100;
/** How long an unfinished line is held back. */
const PARTIAL_LINE_MS = 200;
const NEWLINE = 10;

export interface RawSourceOptions {
  readonly folder: string;
  /** The run has ended: nothing writes to the files any more. */
  readonly hasEnded: () => boolean | Promise<boolean>;
}

export function rawSource(options: RawSourceOptions): LogSource {
  return { read: (cursor, signal) => readRaw(options, cursor, signal) };
}

async function* readRaw(
  { folder, hasEnded }: RawSourceOptions,
  cursor: string,
  signal: AbortSignal,
): AsyncGenerator<LogChunk> {
  const [stdoutAt = 0, stderrAt = 0] = cursor.split(':').map(Number);
  await using stdout = new RawFile('stdout', join(folder, 'stdout'), stdoutAt);
  await using stderr = new RawFile('stderr', join(folder, 'stderr'), stderrAt);
  using bell = new Bell(folder);
  while (!signal.aborted) {
    bell.reset();
    const ended = await hasEnded();
    let found = false;
    for (const file of [stdout, stderr]) {
      const data = await file.next(ended);
      if (data === undefined) continue;
      found = true;
      const position = `${stdout.position}:${stderr.position}`;
      yield { stream: file.name, timeMs: Date.now(), data, cursor: position };
    }
    if (found) continue;
    if (ended) return;
    await bell.wait(signal);
  }
}

/** One raw file and the bytes of it that were taken. */
class RawFile {
  readonly name: 'stdout' | 'stderr';
  readonly #path: string;
  #handle: FileHandle | undefined;
  #partialSince: number | undefined;
  position: number;

  constructor(name: 'stdout' | 'stderr', path: string, position: number) {
    this.name = name;
    this.#path = path;
    this.position = position;
  }

  /** The next bytes, up to the end of a line; undefined when there is nothing to give now. */
  async next(ended: boolean): Promise<Uint8Array | undefined> {
    this.#handle ??= await open(this.#path, 'r').catch(ignore('ENOENT', undefined));
    if (this.#handle === undefined) return undefined;
    const room = Buffer.allocUnsafe(MAX_CHUNK_BYTES);
    const { bytesRead } = await this.#handle.read(room, 0, room.length, this.position);
    if (bytesRead === 0) return undefined;
    const take = this.#cut(room.subarray(0, bytesRead), ended);
    if (take === 0) return undefined;
    this.#partialSince = undefined;
    this.position += take;
    return Buffer.from(room.subarray(0, take));
  }

  /** How many bytes to give: whole lines; all when there is no hope of one, 0 to wait a little for the line's end. */
  #cut(bytes: Buffer, ended: boolean): number {
    const lines = bytes.lastIndexOf(NEWLINE) + 1;
    if (lines > 0) return lines;
    if (ended || bytes.length === MAX_CHUNK_BYTES) return bytes.length;
    this.#partialSince ??= performance.now();
    return performance.now() - this.#partialSince >= PARTIAL_LINE_MS ? bytes.length : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

/** Rings when something in a folder changes; a ring between `reset` and `wait` is not missed. */
class Bell {
  readonly #watcher: ReturnType<typeof watch> | undefined;
  #rung = false;
  #wake: () => void = () => undefined;

  constructor(folder: string) {
    try {
      this.#watcher = watch(folder, () => this.#ring());
      this.#watcher.on('error', () => undefined);
    } catch {
      // No inotify watch to be had: the poll alone does it.
      this.#watcher = undefined;
    }
  }

  reset(): void {
    this.#rung = false;
  }

  /** Until it rings, 100 ms have passed or `signal` fires. */
  wait(signal: AbortSignal): Promise<void> {
    if (this.#rung || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', this.#wake);
        resolve();
      };
      const timer = setTimeout(this.#wake, POLL_MS);
      signal.addEventListener('abort', this.#wake, { once: true });
    });
  }

  #ring(): void {
    this.#rung = true;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}
