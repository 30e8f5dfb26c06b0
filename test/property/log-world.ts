/**
 * A stored log over its files, its source, which can be read again from a cursor, and what must be in it: every byte that was
 * printed, at its own offset, but for what retention or damage took.
 */
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { FOOT_BYTES } from '../../plugins/sdk/log-frame.ts';
import { readLog, type LogRequest } from '../../plugins/sdk/log-reader.ts';
import { LogWriter, type LogLimits } from '../../plugins/sdk/log-writer.ts';
import type { LogChunk } from '../../plugins/sdk/types.ts';

const LIMITS: LogLimits = { segmentBytes: 300, segments: 3 };

type Stream = LogChunk['stream'];

/** A frame as it was written. */
interface Written {
  readonly file: string;
  readonly position: number;
  /** As it stood in the file. */
  readonly raw: Buffer;
  readonly offset: number;
  /** How far it moves the offset. */
  readonly bytes: number;
  readonly isEnd: boolean;
}

/** The length behind a frame is not needed to read it. */
function isWhole({ file, position, raw }: Written): boolean {
  if (!existsSync(file)) return false;
  const there = readFileSync(file).subarray(position, position + raw.length);
  const { length } = raw;
  const needed = length - FOOT_BYTES;
  return there.length === length && there.subarray(0, needed).equals(raw.subarray(0, needed));
}

/** Where something lies, as a part of the whole from 0 to 1. */
export type Part = number;

const never = new AbortController().signal;

export class LogWorld {
  readonly #folder: string;
  /** All that was printed, by all runs. */
  #printed: Buffer = Buffer.alloc(0);
  readonly #streams: Stream[] = [];
  readonly #frames: Written[] = [];
  #log: LogWriter;
  #run = 0;
  /** Where this run began to print. */
  #began = 0;
  /** How far the reader that comes back has got. */
  #resumed = 0;
  /** Without its file an end mark is unknown: no further frame that tells of its run may go as well. */
  #hasLost = false;
  readonly seen = { rotated: 0, damaged: 0, torn: 0, holes: 0 };

  private constructor(folder: string, log: LogWriter) {
    this.#folder = folder;
    this.#log = log;
  }

  static async open(folder: string): Promise<LogWorld> {
    return new LogWorld(folder, await LogWriter.open(folder, LIMITS));
  }

  close(): void {
    this.#log.close();
  }

  print(stream: Stream, bytes: Uint8Array): void {
    this.#printed = Buffer.concat([this.#printed, bytes]);
    for (let i = 0; i < bytes.length; i++) this.#streams.push(stream);
  }

  /** Carries what follows the cursor into the log, in chunks that are anew each time. */
  pump(chunks: number, mostBytes: number): void {
    for (let i = 0; i < chunks; i++) {
      const from = this.#began + Number(this.#log.cursorOf(this.#run));
      const stream = this.#streams[from];
      if (stream === undefined) return;
      let to = from;
      while (to - from < mostBytes && this.#streams[to] === stream) to += 1;
      const data = this.#printed.subarray(from, to);
      const cursor = String(to - this.#began);
      this.#written(() => this.#log.append(this.#run, { stream, timeMs: to, data, cursor }));
    }
  }

  /** The run ends, and another one of the execution follows. */
  end(): void {
    this.pump(Infinity, 100);
    this.#written(() => this.#log.markEnd(this.#run, 'finished'));
    this.#run += 1;
    this.#began = this.#printed.length;
  }

  #written(write: () => void): void {
    const { end: offset } = this.#log;
    const [oldest] = this.#log.segments;
    write();
    if (oldest !== undefined && this.#log.segments[0]?.file !== oldest.file) this.seen.rotated += 1;
    const segment = this.#log.segments.at(-1);
    if (segment === undefined) throw new Error('nothing was written');
    const { file } = segment;
    const before = this.#frames.findLast((frame) => frame.file === file);
    const position = before === undefined ? 0 : before.position + before.raw.length;
    const raw = readFileSync(file).subarray(position, segment.bytes);
    const bytes = this.#log.end - offset;
    const isEnd = this.#log.complete;
    this.#frames.push({ file, position, raw, offset, bytes, isEnd });
  }

  /** The writer dies, and the newest file ends anywhere behind the last end mark, which is on disk before a run follows. */
  async crash(at: Part, garbage: Uint8Array): Promise<void> {
    this.#log.close();
    const last = this.#frames.at(-1);
    const file = last?.file ?? '';
    // What an earlier crash has left is not mended by this one.
    const ends = statSync(file, { throwIfNoEntry: false })?.size;
    if (last !== undefined && ends === last.position + last.raw.length) {
      const kept = this.#frames.findLast((frame) => frame.file === file && this.#isVital(frame));
      const least = kept === undefined ? 0 : kept.position + kept.raw.length;
      const cut = least + Math.round(at * (ends - least));
      truncateSync(file, cut);
      writeFileSync(file, garbage, { flag: 'a' });
      if (cut < ends) this.seen.torn += 1;
    }
    await this.reopen();
  }

  /** Frames that are damaged at the very end are as good as torn: the source is read again. */
  async reopen(): Promise<void> {
    this.#log.close();
    for (let last = this.#frames.at(-1); last !== undefined; last = this.#frames.at(-1)) {
      if (isWhole(last)) break;
      this.#frames.pop();
    }
    this.#log = await LogWriter.open(this.#folder, LIMITS);
    const last = this.#frames.at(-1);
    const wanted = last === undefined ? 0 : last.offset + last.bytes;
    if (this.#log.end !== wanted) throw new Error(`it ends at ${this.#log.end}, not at ${wanted}`);
  }

  #isVital({ isEnd, position }: Written): boolean {
    return isEnd || (this.#hasLost && position === 0);
  }

  /** A byte of a frame is another one; never of the last, nor of an end mark. */
  damage(which: Part, where: Part): void {
    const there = this.#frames.slice(0, -1).filter(({ file }) => existsSync(file));
    const frames = there.filter((frame) => !this.#isVital(frame));
    const frame = frames[Math.floor(which * frames.length)];
    if (frame === undefined) return;
    const at = frame.position + Math.floor(where * frame.raw.length);
    const bytes = readFileSync(frame.file);
    bytes[at] = (bytes[at] ?? 0) ^ 0x55;
    writeFileSync(frame.file, bytes);
    if (!isWhole(frame)) this.seen.damaged += 1;
  }

  /** A file is gone; not the newest. */
  lose(which: Part): void {
    const files = this.#log.segments.slice(0, -1).map(({ file }) => file);
    const file = files[Math.floor(which * files.length)];
    const first = this.#frames.filter((frame) => frame.position === 0 && existsSync(frame.file));
    const isDamaged = !first.every(isWhole);
    if (file === undefined || isDamaged) return;
    rmSync(file, { force: true });
    this.#hasLost = true;
  }

  /** Reads all that is there from an offset; throws when a byte is wrong, missing untold, or told missing untruly. */
  async read(from: Part): Promise<void> {
    await this.#check(Math.floor(from * (this.#log.end + 1)));
  }

  async readTail(lines: number): Promise<void> {
    const first = await this.#start({ tailLines: lines });
    if (first !== undefined && first > 0 && this.#printed[first - 1] !== 10)
      throw new Error(`the last ${lines} lines begin within a line, at ${first}`);
  }

  /** A reader that goes on where it was. */
  async resume(): Promise<void> {
    this.#resumed = await this.#check(this.#resumed);
  }

  async #start(request: Partial<LogRequest>): Promise<number | undefined> {
    const all = { fromOffset: 0, follow: false, tailLines: 0, sinceMs: 0, ...request };
    for await (const { frames, hole } of readLog(this.#log, all, never)) {
      if (hole !== undefined) return undefined;
      if (frames[0] !== undefined) return frames[0].offset;
    }
    return undefined;
  }

  async #check(from: number): Promise<number> {
    let next = from;
    const all = { fromOffset: from, follow: false, tailLines: 0, sinceMs: 0 };
    for await (const { frames, hole, nextOffset } of readLog(this.#log, all, never)) {
      if (hole !== undefined) {
        if (hole.from !== next) throw new Error(`a hole from ${hole.from}, not from ${next}`);
        this.#checkHole(hole);
        next = hole.to;
      }
      for (const { kind, offset, data } of frames) {
        if (offset !== next) throw new Error(`a frame at ${offset}, not at ${next}`);
        next += data.length;
        if (!this.#printed.subarray(offset, next).equals(data))
          throw new Error(`bytes ${offset} to ${next} are not what was printed`);
        if (this.#streams.slice(offset, next).some((stream) => stream !== kind))
          throw new Error(`bytes ${offset} to ${next} are of another stream than ${kind}`);
      }
      if (nextOffset !== next) throw new Error(`nextOffset is ${nextOffset}, not ${next}`);
    }
    if (next < this.#log.end) throw new Error(`it ends at ${next}, not at ${this.#log.end}`);
    return next;
  }

  #checkHole({ from, to }: { readonly from: number; readonly to: number }): void {
    this.seen.holes += 1;
    if (to <= from) throw new Error(`a hole from ${from} to ${to}`);
    const kept = this.#frames.find(
      (frame) => frame.offset < to && frame.offset + frame.bytes > from && isWhole(frame),
    );
    if (kept !== undefined)
      throw new Error(`a hole from ${from} to ${to}, where ${kept.offset} is there and whole`);
  }
}
