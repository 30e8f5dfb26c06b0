/**
 * The log of one execution on a node of the test's own making: a text that grows, read by streams that the test can break.
 * Chunks end where chance says; a stream sends no more than a window ahead of its reader.
 */
import { once, EventEmitter } from 'node:events';
import type { Clock } from '../../adapters/clock/port.ts';
import type { IncomingStream, StreamEnd } from '../../adapters/streams/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { LogOrigin } from '../../requester/logs/log-origin.ts';
import type { LogWish } from '../../requester/nodes/streams.ts';
import { encodeLogFrames, type LogFrame } from '../../wire/log-frames.ts';

export type ScriptedFrame = Pick<LogFrame, 'kind' | 'timeMs'> & { readonly data: Buffer };

export class ScriptedNode {
  readonly #frames: LogFrame[] = [];
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #open = new Set<ScriptedStream>();
  #changed = 0;
  #sent = 0;
  readonly wishes: LogWish[] = [];
  /** Nothing before it is kept. */
  #cut = 0;
  #end = 0;
  #complete = false;
  /** Nobody answers there. */
  away = false;
  /** What each chunk holds at the most. */
  chunkFrames = (): number => 8;

  /** Streams that are open now. */
  get streams(): number {
    return this.#open.size;
  }

  /** Bytes that were read of it, ever. */
  get sent(): number {
    return this.#sent;
  }

  get end(): number {
    return this.#end;
  }

  get cut(): number {
    return this.#cut;
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  print({ kind, timeMs, data }: ScriptedFrame): void {
    this.#frames.push({ kind, timeMs, data, source: 0, offset: this.#end });
    this.#end += data.length;
    this.#wake();
  }

  /** Drops whole frames before an offset. */
  cutBefore(offset: number): void {
    while ((this.#frames[0]?.offset ?? offset) < offset) this.#frames.shift();
    this.#cut = this.#frames[0]?.offset ?? this.#end;
  }

  complete(): void {
    this.#complete = true;
    this.#wake();
  }

  /** All streams that are open break. */
  breakStreams(end: StreamEnd): void {
    for (const stream of [...this.#open]) stream.close(end);
    this.#wake();
  }

  origin(clock: Clock): LogOrigin {
    return {
      clock,
      open: (_execution, wish) => Promise.resolve(this.open(wish)),
      now: (execution) =>
        Promise.resolve({ ...execution, state: this.#complete ? 'completed' : 'running' }),
      isAway: () => this.away,
    };
  }

  open(wish: LogWish): IncomingStream {
    this.wishes.push(wish);
    if (this.away) throw new LimpetError('unavailable', 'nobody answers');
    const stream = new ScriptedStream(this.#chunks(wish), {
      wake: () => this.#wake(),
      closed: () => this.#open.delete(stream),
    });
    this.#open.add(stream);
    wish.signal?.addEventListener('abort', () => stream.cancel());
    if (wish.signal?.aborted === true) stream.cancel();
    return stream;
  }

  async *#chunks({ follow, fromOffset, sinceMs, tail }: LogWish): AsyncGenerator<Uint8Array> {
    let next = tail === undefined ? fromOffset : Math.max(fromOffset, this.#tail(tail));
    for (;;) {
      const seen = this.#changed;
      const frames = this.#from(next, sinceMs);
      if (frames.length > 0) {
        next = frames.reduce((_, { kind, offset, data }) => {
          return kind === 'cut' ? offset : offset + data.length;
        }, next);
        const bytes = encodeLogFrames(frames);
        this.#sent += bytes.length;
        yield bytes;
      } else if (this.#complete || !follow) {
        return;
      } else {
        if (seen === this.#changed) await once(this.#changes, 'change');
        yield new Uint8Array();
      }
    }
  }

  #wake(): void {
    this.#changed += 1;
    this.#changes.emit('change');
  }

  /** The next chunk of frames at or behind an offset. */
  #from(next: number, sinceMs = 0): readonly LogFrame[] {
    const cut = next < this.#cut ? [cutFrame(this.#cut)] : [];
    const behind = this.#frames.filter(
      ({ offset, data, timeMs }) => offset + data.length > next && timeMs >= sinceMs,
    );
    const frames = behind.slice(0, this.chunkFrames()).map((frame) => {
      const skip = Math.max(0, next - frame.offset);
      return { ...frame, offset: frame.offset + skip, data: frame.data.subarray(skip) };
    });
    return [...cut, ...frames];
  }

  #tail(lines: number): number {
    const starts = this.#frames.flatMap(({ offset, data }) =>
      [...data.entries()].filter(([, byte]) => byte === 10).map(([at]) => offset + at + 1),
    );
    return starts.filter((at) => at < this.#end).at(-lines) ?? 0;
  }
}

function cutFrame(offset: number): LogFrame {
  return { kind: 'cut', source: 0, timeMs: 0, offset, data: Buffer.from('gone') };
}

interface Listener {
  readonly wake: () => void;
  readonly closed: () => void;
}

class ScriptedStream implements IncomingStream {
  readonly #source: AsyncGenerator<Uint8Array>;
  readonly #on: Listener;
  #closing: StreamEnd | undefined;
  end: StreamEnd | undefined;

  constructor(source: AsyncGenerator<Uint8Array>, on: Listener) {
    this.#source = source;
    this.#on = on;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for await (const bytes of this.#source) {
      if (this.#closing !== undefined) break;
      if (bytes.length > 0) yield bytes;
    }
    this.close({ code: 'finished', message: '' });
    this.end = this.#closing;
  }

  close(end: StreamEnd): void {
    if (this.#closing !== undefined) return;
    this.#closing = end;
    this.#on.closed();
    this.#on.wake();
  }

  cancel(): void {
    this.close({ code: 'reader-gone', message: 'the reader left' });
  }
}
