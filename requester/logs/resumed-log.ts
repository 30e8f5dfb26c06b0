/**
 * The log of one execution as its node sends it. A stream that breaks is opened again at the byte where it ended, as long as
 * there may be more; what came is never passed on twice. Readers are told when a node is away, and when it is back.
 *
 * | a stream | then |
 * |---|---|
 * | ends with `finished` or `retention` | the log ends with it |
 * | is not opened: the node does not know an execution that has ended | the log ends with `retention` |
 * | ends otherwise, or is not opened | it is opened again, at first soon, then each 5 s, unless it is given up (patience.ts) |
 */
import type { IncomingStream, StreamEnd } from '../../adapters/streams/port.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { LogFrameDecoder, type LogFrame } from '../../wire/log-frames.ts';
import type { LogWish } from '../nodes/streams.ts';
import type { ExecutionRecord } from '../state/records.ts';
import { frameFrom, isBefore, offsetAfter, type LogItem, type LogStart } from './log-items.ts';
import type { LogOrigin } from './log-origin.ts';
import { hasEnded, Patience } from './patience.ts';

export interface LogReading {
  readonly start: LogStart;
  readonly follow: boolean;
  readonly streams: readonly ('stdout' | 'stderr')[];
  readonly signal: AbortSignal;
}

const BOTH = ['stdout', 'stderr'] as const;

export class ResumedLog {
  readonly #origin: LogOrigin;
  readonly #execution: ExecutionRecord;
  readonly #reading: LogReading;
  #next: number | undefined;
  /** What lies before it came from an earlier stream. */
  #floor = 0;
  #waiting: string | undefined;
  readonly #patience: Patience;

  constructor(origin: LogOrigin, execution: ExecutionRecord, reading: LogReading) {
    this.#origin = origin;
    this.#execution = execution;
    this.#reading = reading;
    this.#patience = new Patience(origin, execution, reading.follow);
    const { fromOffset, tail, sinceMs } = reading.start;
    this.#next = fromOffset ?? (tail === undefined && sinceMs === undefined ? 0 : undefined);
  }

  /** The next byte that is wanted; undefined before the first of a log that is not read from a known one. */
  get next(): number | undefined {
    return this.#next;
  }

  /** What readers were told when its node went away, until it is back. */
  get waiting(): string | undefined {
    return this.#waiting;
  }

  /** Ends with one `end`, unless the signal fires before. Never throws. */
  async *read(): AsyncGenerator<readonly LogItem[]> {
    const { signal } = this.#reading;
    await this.#patience.begin();
    let end: StreamEnd;
    for (;;) {
      const before = this.#next;
      end = await this.#known(yield* this.#once());
      if (signal.aborted) return;
      if (end.code === 'finished' || end.code === 'retention') break;
      const isAbsent = end.code === 'agent-gone';
      if (await this.#patience.isOver({ isAbsent, brought: this.#next !== before })) break;
      if (this.#waiting === undefined && this.#patience.isNews({ isAbsent }))
        yield [this.#away(end)];
      await this.#origin.clock.sleep(this.#patience.pauseMs, signal).catch(() => undefined);
    }
    yield [{ type: 'end', end }];
  }

  async #known(end: StreamEnd | LimpetError): Promise<StreamEnd> {
    if (!(end instanceof LimpetError)) return end;
    const { code, message } = end;
    const { id, nodeId } = this.#execution;
    if (code === 'not-found' && (await hasEnded(this.#origin, this.#execution)))
      return { code: 'retention', message: `node ${nodeId} no longer keeps the log of ${id}` };
    const isAbsent = code === 'unavailable' || code === 'timeout';
    return { code: isAbsent ? 'agent-gone' : 'error', message };
  }

  #away({ code, message }: StreamEnd): LogItem {
    const { nodeId } = this.#execution;
    const absent = this.#reading.follow ? 'is away; waiting' : 'does not answer; trying again';
    this.#waiting =
      code === 'agent-gone'
        ? `node ${nodeId} ${absent}`
        : `the log cannot be read from node ${nodeId}: ${message}; trying again`;
    return { type: 'notice', text: this.#waiting };
  }

  /** An error is why there is no stream. */
  async *#once(): AsyncGenerator<readonly LogItem[], StreamEnd | LimpetError> {
    let stream: IncomingStream;
    try {
      if (this.#reading.start.tail === 0) this.#next ??= await this.#end();
      this.#floor = this.#next ?? 0;
      stream = await this.#origin.open(this.#execution, this.#wish());
      this.#patience.opened();
    } catch (thrown) {
      this.#patience.refused();
      return LimpetError.from(thrown);
    }
    try {
      if (this.#waiting !== undefined) yield [this.#back()];
      yield* this.#items(stream);
    } catch (thrown) {
      return { code: 'error', message: messageOf(thrown) };
    } finally {
      stream.cancel();
    }
    return stream.end ?? { code: 'error', message: 'the stream has ended without a reason' };
  }

  #back(): LogItem {
    this.#waiting = undefined;
    const at = this.#next === undefined ? '' : ` at byte ${this.#next}`;
    return { type: 'notice', text: `node ${this.#execution.nodeId} is back; going on${at}` };
  }

  async *#items(stream: IncomingStream): AsyncGenerator<readonly LogItem[]> {
    const decoder = new LogFrameDecoder();
    for await (const chunk of stream.chunks()) {
      const items: LogItem[] = [];
      for (const frame of decoder.take(chunk)) {
        const fresh = this.#fresh(frame);
        if (fresh !== undefined) items.push({ type: 'frame', frame: fresh });
      }
      if (items.length > 0) yield items;
    }
  }

  /** What has not come yet of a frame. */
  #fresh(frame: LogFrame): LogFrame | undefined {
    if (isBefore(frame, this.#floor)) return undefined;
    // Where a part of the log begins is known by its first byte only.
    if (frame.kind !== 'cut' || this.#next !== undefined) this.#next = offsetAfter(frame);
    return frameFrom(frame, this.#floor);
  }

  #wish(): LogWish {
    const { start, follow, streams, signal } = this.#reading;
    const wish = { follow, streams, signal, fromOffset: this.#next ?? 0 };
    if (this.#next !== undefined) return wish;
    const { tail, sinceMs } = start;
    return {
      ...wish,
      ...(tail === undefined ? {} : { tail }),
      ...(sinceMs === undefined ? {} : { sinceMs }),
    };
  }

  /** Where the log ends now: behind the last frame of its last line. */
  async #end(): Promise<number> {
    const { signal } = this.#reading;
    const lastLine = { follow: false, streams: BOTH, fromOffset: 0, tail: 1, signal };
    const stream = await this.#origin.open(this.#execution, lastLine);
    const decoder = new LogFrameDecoder();
    let end = 0;
    for await (const chunk of stream.chunks())
      for (const frame of decoder.take(chunk)) end = offsetAfter(frame);
    if (stream.end?.code === 'agent-gone') throw new LimpetError('unavailable', stream.end.message);
    return end;
  }
}
