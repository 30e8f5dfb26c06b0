/** One answer of the requester with the frames of a log, as they come. */
import { EitherSignal } from '../../core/either-signal.ts';
import { LimpetError } from '../../core/errors.ts';
import { LOG_FRAMES_TYPE, LogFrameDecoder, type LogFrame } from '../../wire/log-frames.ts';
import type { ApiClient, ApiPath, Query } from '../api/client.ts';
import type { LogClock } from './clock.ts';

/** It sends a pulse each 5 s. */
const SILENCE_MS = 20_000;

export interface FrameRequest {
  readonly path: ApiPath;
  readonly query: Query;
  readonly signal: AbortSignal;
  readonly clock: LogClock;
}

/**
 * Yields the frames of a piece of the body together. Ends when the server ends it. Errors: `cancelled` by the signal,
 * `unavailable` when nobody answers, the connection breaks or falls silent, and what the requester refuses.
 */
export async function* readFrames(
  api: ApiClient,
  { path, query, signal, clock }: FrameRequest,
): AsyncGenerator<readonly LogFrame[]> {
  const silence = new Silence(clock);
  using either = new EitherSignal(signal, silence.signal);
  try {
    silence.listen();
    const body = await api.body(path, { query, signal: either.signal, accept: LOG_FRAMES_TYPE });
    const decoder = new LogFrameDecoder();
    const pieces: AsyncIterable<Uint8Array> = body;
    for await (const piece of pieces) {
      silence.pause();
      yield decoder.take(piece);
      silence.listen();
    }
  } catch (cause) {
    if (signal.aborted) throw new LimpetError('cancelled', 'cancelled', { cause });
    if (silence.signal.aborted)
      throw new LimpetError('unavailable', `no sign of life for ${SILENCE_MS / 1000} s`);
    if (cause instanceof LimpetError) throw cause;
    throw new LimpetError('unavailable', 'the connection broke', { cause });
  } finally {
    silence.pause();
  }
}

/** Fires its signal when nothing was heard for so long while it listened. */
class Silence {
  readonly #clock: LogClock;
  readonly #over = new AbortController();
  #since = 0;
  #timer: { cancel(): void } | undefined;

  constructor(clock: LogClock) {
    this.#clock = clock;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  listen(): void {
    this.#since = this.#clock.uptime();
    this.#arm(SILENCE_MS);
  }

  /** Nobody reads now: silence means nothing. */
  pause(): void {
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => {
      // A timer that is set after a long write may fire early.
      const left = this.#since + SILENCE_MS - this.#clock.uptime();
      if (left > 0) this.#arm(left);
      else this.#over.abort();
    });
  }
}
