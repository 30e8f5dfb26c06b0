/**
 * The exact tailer. A pass reads `logs?follow` from the cursor to its end; when the run had ended before the pass began,
 * that pass was complete, else another one follows. So the tail that a follower loses at exit is read again, and what
 * comes twice is told by the cursor.
 */
import type { IncomingMessage } from 'node:http';
import { LimpetError, pause, type LogChunk, type LogSource } from '../../plugins/sdk/index.ts';
import type { Engine } from './engine.ts';
import { openLogs } from './engine-streams.ts';
import { LogCursor } from './log-cursor.ts';
import { demux, type Frame } from './log-frames.ts';
import type { Held } from './stopper.ts';

const NOT_STARTED_POLL_MS = 50;
/** How often a follower that is silent looks whether its container has ended. */
const SILENCE_MS = 5_000;
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

export class DockerLog implements LogSource {
  readonly #engine: Engine;
  readonly #held: Held;

  constructor(engine: Engine, held: Held) {
    this.#engine = engine;
    this.#held = held;
  }

  async *read(from: string, signal: AbortSignal): AsyncGenerator<LogChunk> {
    const cursor = LogCursor.parse(from);
    while (!signal.aborted) {
      const container = await this.#held.look();
      if (container === undefined) {
        yield gap(
          cursor.snapshot()(),
          'the container is gone; what it may have written after this is lost',
        );
        return;
      }
      if (container.status === 'created') {
        await pause(NOT_STARTED_POLL_MS, signal);
        continue;
      }
      yield* this.#pass(container.id, cursor, signal);
      if (ENDED.has(container.status)) return;
    }
    throw new LimpetError('cancelled', `reading the log of ${this.#held.name} was cancelled`);
  }

  async *#pass(id: string, cursor: LogCursor, signal: AbortSignal): AsyncGenerator<LogChunk> {
    const stream = await openLogs(this.#engine.calls, id, { since: cursor.since, signal });
    const watch = this.#endWhenSilent(id, stream);
    const pass = cursor.pass();
    const joiner = new Joiner();
    try {
      for await (const frames of demux(stream)) {
        watch.refresh();
        for (const frame of frames) {
          // The cursor given out with what is held must not count this frame yet.
          const before = cursor.snapshot();
          const verdict = pass.take(frame);
          if (verdict === 'duplicate') continue;
          const complete = joiner.add(frame, before);
          if (complete !== undefined) yield complete;
          if (verdict === 'new-after-gap')
            yield gap(
              before(),
              'output before this was rotated away by the engine before it was read',
            );
        }
        const complete = joiner.flush(cursor.snapshot()());
        if (complete !== undefined) yield complete;
      }
    } catch (thrown) {
      throw LimpetError.from(thrown, 'unavailable');
    } finally {
      clearInterval(watch);
      stream.destroy();
    }
  }

  /** Ends a follower that says nothing any more although its container has ended; the next pass reads the rest. */
  #endWhenSilent(id: string, stream: IncomingMessage): NodeJS.Timeout {
    return setInterval(() => {
      this.#engine.inspect(id).then(
        (container) => {
          if (container === undefined || ENDED.has(container.status)) stream.destroy();
        },
        () => undefined,
      );
    }, SILENCE_MS);
  }
}
