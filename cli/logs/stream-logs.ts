/**
 * Reads the log of a job to its end. A connection that breaks is made again and goes on where it broke, without a gap or
 * a double; one line tells of it.
 */
import { LimpetError } from '../../core/errors.ts';
import {
  logNoticeSchema,
  logSourceSchema,
  type LogFrame,
  type LogSource,
} from '../../wire/log-frames.ts';
import { formatLogPosition } from '../../wire/log-position.ts';
import type { LogEnd } from '../../wire/http.ts';
import type { ApiClient, Query } from '../api/client.ts';
import { logEndSchema } from '../api/events.ts';
import type { LogClock } from './clock.ts';
import { shortenIds } from '../output/table.ts';
import { readFrames } from './frame-stream.ts';
import { commandThatGoesOn, type LogRequest } from './log-request.ts';
import { Outage, PATIENCE_MS } from './outage.ts';
import type { LogPrinter } from './printer.ts';
import { LogProgress } from './progress.ts';
import type { Screens } from './screens.ts';

export interface LogReading {
  readonly api: ApiClient;
  readonly request: LogRequest;
  readonly printer: LogPrinter;
  readonly screens: Screens;
  readonly clock: LogClock;
  readonly signal: AbortSignal;
  /** Something of an execution came. */
  onData?(kind: LogFrame['kind']): void;
}

/** The requester gives up a reader that takes nothing for a minute. */
const SLOW_MS = 30_000;

/** The requester is not there, or was not any more. */
interface Break {
  readonly problem: LimpetError;
  /** Missing: it has closed the connection because nothing was taken for too long. */
  readonly reason?: string;
}

/**
 * Resolves when the log has ended, with what the requester says of its end. Errors: `unavailable` when the requester
 * stays away or the log ends for another reason than the end of the work, `cancelled` by the signal.
 */
export async function streamLogs(reading: LogReading): Promise<LogEnd> {
  const { screens, printer, signal } = reading;
  try {
    return await new LogStream(reading).toTheEnd();
  } finally {
    printer.end();
    // Who has left waits for no screen.
    await screens.flush(signal)?.catch(() => undefined);
  }
}

class LogStream {
  readonly #reading: LogReading;
  readonly #progress = new LogProgress();
  readonly #outage: Outage;
  /** Of this connection, by their numbers. */
  #sources = new Map<number, LogSource>();
  /** It may have broken this connection because nothing was taken for so long. */
  #wasSlow = false;
  #hasBegun = false;

  constructor(reading: LogReading) {
    this.#reading = reading;
    this.#outage = new Outage(reading);
  }

  async toTheEnd(): Promise<LogEnd> {
    const { request } = this.#reading;
    for (;;) {
      const end = await this.#connect();
      if ('code' in end) return end;
      const { reason, problem } = end;
      if (!this.#hasBegun && !request.follow) throw problem;
      if (await this.#outage.wait(reason)) continue;
      const why = reason === undefined ? '' : ` (${reason})`;
      const next = commandThatGoesOn(request, this.#progress.newestMs);
      throw new LimpetError(
        'unavailable',
        `the requester did not come back within ${PATIENCE_MS / 1000} s${why}; go on with: ${next}`,
        { cause: problem },
      );
    }
  }

  /** Resolves with `finished`, or with how the connection broke. */
  async #connect(): Promise<LogEnd | Break> {
    const end = await this.#read().catch((thrown: unknown): Break => {
      const problem = LimpetError.from(thrown);
      if (problem.code !== 'unavailable') throw problem;
      return this.#wasSlow ? { problem } : { problem, reason: reasonOf(problem) };
    });
    if ('problem' in end || end.code === 'finished') return end;
    const problem = new LimpetError('unavailable', whyEarly(end));
    if (end.code === 'reader-gone') return { problem };
    if (end.code === 'requester-gone') return { problem, reason: end.message };
    throw problem;
  }

  async #read(): Promise<LogEnd> {
    const { api, request, clock, signal } = this.#reading;
    const path = `limpet/jobs/${encodeURIComponent(request.jobId)}/logs`;
    this.#sources = new Map();
    this.#wasSlow = false;
    this.#progress.connect();
    for await (const frames of readFrames(api, { path, query: this.#query(), signal, clock })) {
      for (const frame of frames) {
        if (frame.kind === 'end') return logEndSchema.parse(jsonOf(frame));
        this.#take(frame);
      }
      await this.#written();
    }
    throw new LimpetError('unavailable', 'it closed the connection');
  }

  async #written(): Promise<void> {
    const { screens, signal, clock } = this.#reading;
    const full = screens.flush(signal);
    if (full === undefined) return;
    const since = clock.uptime();
    await full;
    if (clock.uptime() - since > SLOW_MS) this.#wasSlow = true;
  }

  #query(): Query {
    const { follow, execution, stream, tail, sinceMs } = this.#reading.request;
    const { position } = this.#progress;
    const after = position.size === 0 ? undefined : formatLogPosition(position);
    return { follow, execution, stream, tail, since: sinceMs, after };
  }

  #take(frame: LogFrame): void {
    const { printer } = this.#reading;
    const source = this.#sources.get(frame.source);
    this.#hasBegun = true;
    this.#outage.over();
    if (frame.kind === 'pulse') this.#onPulse();
    else if (frame.kind === 'notice')
      printer.notice(source, logNoticeSchema.parse(jsonOf(frame)).text);
    else if (frame.kind === 'source') this.#begin(frame);
    else if (source !== undefined) this.#show(source, frame);
    if (frame.kind !== 'pulse') this.#reading.onData?.(frame.kind);
  }

  #begin(frame: LogFrame): void {
    const source = logSourceSchema.parse(jsonOf(frame));
    this.#sources.set(frame.source, source);
    this.#reading.printer.begin(source);
  }

  #show(source: LogSource, frame: LogFrame): void {
    const wanted = this.#progress.take(source, frame);
    if (wanted !== undefined) this.#reading.printer.take(source, wanted);
  }

  /** What has begun and has shown nothing by now: all that it writes from here on is wanted, more than a tail too. */
  #onPulse(): void {
    const { tail, sinceMs } = this.#reading.request;
    if (tail === undefined || sinceMs !== undefined) return;
    for (const { executionId } of this.#sources.values()) this.#progress.isEmpty(executionId);
  }
}

/** Of a node that is away a notice has told. */
function whyEarly(end: LogEnd): string {
  const { code } = end;
  const message = shortenIds(end.message);
  if (code === 'agent-gone')
    return 'the log is not whole: a node is away; read it again when `limpet node list` shows it';
  return code === 'retention'
    ? `the log is not whole: ${message}`
    : `the log ended early (${code}): ${message}`;
}

function jsonOf({ data }: LogFrame): unknown {
  const parsed: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
  return parsed;
}

/** Without what a person is told who has none at all. */
function reasonOf({ message, cause }: LimpetError): string {
  return cause instanceof LimpetError ? cause.message : message;
}
