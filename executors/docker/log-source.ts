/**
 * The exact tailer. A pass reads `logs?follow` from the cursor to its end; when the run had ended before the pass began,
 * that pass was complete, else another one follows. So the tail that a follower loses at exit is read again, and what
 * comes twice is told by the cursor.
 */
import type { IncomingMessage } from 'node:http';
import {
  LimpetError,
  pause,
  type LogChunk,
  type LogSource,
  type Observation,
} from '../../plugins/sdk/index.ts';
import type { Container, Engine } from './engine.ts';
import { openLogs } from './engine-streams.ts';
import { LogCursor, type PassOptions as CursorOptions, type Told } from './log-cursor.ts';
import { demux, type Frame } from './log-frames.ts';
import type { Restart } from './restart-gap.ts';
import type { Held } from './stopper.ts';

const NOT_STARTED_POLL_MS = 50;
/** How often a follower that is silent looks whether its container has ended: when it is said to have, and before. */
const SILENCE_MS = 5_000;
const LONG_SILENCE_MS = 60_000;
const CHUNK_BYTES = 32 * 1024;

const ENDED = new Set(['exited', 'dead', 'removing']);

function gap(cursor: string, text: string): LogChunk {
  return { stream: 'gap', timeMs: Date.now(), data: Buffer.from(text), cursor };
}

/** Joins neighbours of one stream and one millisecond. */
class Joiner {
  #held: { stream: Frame['stream']; timeMs: number; parts: Buffer[]; bytes: number } | undefined;

  /** What is complete now that `frame` comes; undefined when the frame joined what is held. */
  add(frame: Frame, cursorBefore: () => string): LogChunk | undefined {
    const timeMs = Number(frame.at / 1_000_000n);
    const held = this.#held;
    const fits = held !== undefined && held.bytes + frame.data.length <= CHUNK_BYTES;
    if (fits && held.stream === frame.stream && held.timeMs === timeMs) {
      held.parts.push(frame.data);
      held.bytes += frame.data.length;
      return undefined;
    }
    const complete = held === undefined ? undefined : this.flush(cursorBefore());
    this.#held = { stream: frame.stream, timeMs, parts: [frame.data], bytes: frame.data.length };
    return complete;
  }

  flush(cursor: string): LogChunk | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return undefined;
    return { stream: held.stream, timeMs: held.timeMs, data: Buffer.concat(held.parts), cursor };
  }
}

interface TakingOptions extends CursorOptions {
  readonly cursor: LogCursor;
  readonly restart: Restart | undefined;
}

/** What one connection's frames add to the log. */
class Taking {
  readonly #cursor: LogCursor;
  readonly #pass: ReturnType<LogCursor['pass']>;
  readonly #joiner = new Joiner();
  #restart: Restart | undefined;

  constructor({ cursor, restart, ...options }: TakingOptions) {
    this.#cursor = cursor;
    this.#pass = cursor.pass(options);
    this.#restart = restart;
  }

  /** Answers false when a new connection has to show what comes before the frame. */
  *take(frame: Frame): Generator<LogChunk, boolean> {
    if (this.#restart !== undefined && frame.at >= BigInt(this.#restart.at) * 1_000_000n)
      yield* this.tell();
    // The cursor given out with what is held must not count this frame yet.
    const before = this.#cursor.snapshot();
    const verdict = this.#pass.take(frame);
    if (verdict === 'duplicate') return true;
    if (verdict === 'unsure') return false;
    const complete = this.#joiner.add(frame, before);
    if (complete !== undefined) yield complete;
    if (verdict === 'new-after-gap')
      yield gap(before(), 'output before this was rotated away by the engine before it was read');
    return true;
  }

  *takeAll(frames: readonly Frame[]): Generator<LogChunk, boolean> {
    for (const frame of frames) if (!(yield* this.take(frame))) return false;
    return true;
  }

  /** What is held. */
  *flush(): Generator<LogChunk> {
    const complete = this.#joiner.flush(this.#cursor.snapshot()());
    if (complete !== undefined) yield complete;
  }

  /** The restart, unless it is told. */
  *tell(): Generator<LogChunk> {
    if (this.#restart === undefined) return;
    yield* this.flush();
    const { told, text } = this.#restart;
    this.#restart = undefined;
    this.#cursor.tell(told);
    yield gap(this.#cursor.snapshot()(), text);
  }
}

type Shown = Pick<Container, 'id' | 'status' | 'startedAt' | 'finishedAt'> &
  Partial<Pick<Container, 'logFileBytes'>>;

/** The container of a run that was seen to have ended, as far as its log is concerned. */
export function endedContainer(seen: Observation | undefined): Shown | undefined {
  const { phase, startedAt, finishedAt, facts } = seen ?? {};
  const id = facts?.['containerId'];
  // Without these times it was cut off within its start.
  if (phase !== 'exited' || id === undefined) return undefined;
  if (startedAt === undefined || finishedAt === undefined) return undefined;
  return { id, status: 'exited', startedAt, finishedAt };
}

export interface LogPorts {
  readonly engine: Engine;
  readonly held: Held;
  /** What was seen just before the log is read, when the run had ended. */
  readonly ended?: Shown | undefined;
  /** The restart of the engine that the log has yet to tell of. */
  readonly restart: (container: Shown, told: Told) => Promise<Restart | undefined>;
}

interface PassOptions extends TakingOptions {
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

interface Silence {
  broken(): void;
  over(): void;
}

export class DockerLog implements LogSource {
  readonly #ports: LogPorts;
  #ended: Shown | undefined;
  #isToldOfEnd = false;
  #quicken: () => void = () => undefined;

  constructor(ports: LogPorts) {
    this.#ports = ports;
    this.#ended = ports.ended;
  }

  look(): void {
    this.#isToldOfEnd = true;
    this.#quicken();
  }

  async *read(from: string, signal: AbortSignal): AsyncGenerator<LogChunk> {
    const cursor = LogCursor.parse(from);
    let isSure = true;
    while (!signal.aborted) {
      const container = this.#takeEnded() ?? (await this.#ports.held.look());
      if (container === undefined) {
        yield gap(
          cursor.snapshot()(),
          'the container is gone; what it may have written after this is lost',
        );
        return;
      }
      const restart = await this.#ports.restart(container, cursor.told);
      if (container.status === 'created' && restart !== undefined) {
        // Cut off within its start: the engine will never show more of it.
        cursor.tell(restart.told);
        yield gap(cursor.snapshot()(), restart.text);
        return;
      }
      if (container.status === 'created') {
        await pause(NOT_STARTED_POLL_MS, signal);
        continue;
      }
      const isOver = ENDED.has(container.status);
      // What is there already is read alone first, so that a restart is told at once and not with the next line.
      const follow = isOver || restart === undefined;
      // Nothing is written any more when it is over, so nothing can be left out.
      const fileSize = isOver ? undefined : container.logFileBytes;
      const options: PassOptions = { cursor, restart, follow, fileSize, again: !isSure, signal };
      isSure = yield* this.#pass(container.id, options);
      if (isOver) return;
    }
    const { name } = this.#ports.held;
    throw new LimpetError('cancelled', `reading the log of ${name} was cancelled`);
  }

  /** What was seen counts for the first look alone. */
  #takeEnded(): Shown | undefined {
    const ended = this.#ended;
    this.#ended = undefined;
    return ended;
  }

  /** Answers false when it ended before a frame that another connection has to show again. */
  async *#pass(id: string, options: PassOptions): AsyncGenerator<LogChunk, boolean> {
    const { calls } = this.#ports.engine;
    const { follow, signal } = options;
    const stream = await openLogs(calls, id, { since: options.cursor.since, follow, signal });
    const silence = this.#endWhenSilent(id, stream);
    const pass = new Taking(options);
    try {
      for await (const frames of demux(stream)) {
        silence.broken();
        const isSure = yield* pass.takeAll(frames);
        yield* pass.flush();
        if (!isSure) return false;
      }
      yield* pass.tell();
      return true;
    } catch (thrown) {
      throw LimpetError.from(thrown, 'unavailable');
    } finally {
      silence.over();
      stream.destroy();
    }
  }

  /** Ends a follower that says nothing any more although its container has ended; the next pass reads the rest. */
  #endWhenSilent(id: string, stream: IncomingMessage): Silence {
    const look = () => {
      this.#ports.engine.inspect(id).then(
        (container) => {
          if (container === undefined || ENDED.has(container.status)) stream.destroy();
        },
        () => undefined,
      );
    };
    const every = () => setInterval(look, this.#isToldOfEnd ? SILENCE_MS : LONG_SILENCE_MS);
    let timer = every();
    this.#quicken = () => {
      clearInterval(timer);
      timer = every();
    };
    return {
      broken: () => timer.refresh(),
      over: () => {
        clearInterval(timer);
        this.#quicken = () => undefined;
      },
    };
  }
}
