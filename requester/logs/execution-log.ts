/** The log of one execution; a stream that breaks is opened again where it ended, as long as there may be more. */
import type { Clock } from '../../adapters/clock/port.ts';
import type { IncomingStream, StreamEnd } from '../../adapters/streams/port.ts';
import { backoffMs } from '../../core/backoff.ts';
import { LimpetError } from '../../core/errors.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { LogEnd, LogEvent } from '../../wire/http.ts';
import { logItemSchema, type LogItem } from '../../wire/messages.ts';
import type { NodeStreams } from '../nodes/streams.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord } from '../state/records.ts';
import { jsonLines } from './json-lines.ts';
import type { LogQuery } from './log-query.ts';

export interface ExecutionLogOptions {
  readonly streams: NodeStreams;
  readonly reader: Reader;
  readonly clock: Clock;
  readonly execution: ExecutionRecord;
  readonly query: LogQuery;
}

const BACKOFF = { firstMs: 100, lastMs: 5_000 };
/** What is there now, or is left of what has ended, is asked for this often when its node does not answer. */
const TRIES = 3;

export class ExecutionLog {
  readonly #options: ExecutionLogOptions;
  /** The next byte that is wanted. */
  #offset = 0;
  #begun = false;

  constructor(options: ExecutionLogOptions) {
    this.#options = options;
  }

  async pumpTo(push: (event: LogEvent) => Promise<void>): Promise<LogEnd> {
    const { query, clock } = this.#options;
    let failures = 0;
    let bounded = 0;
    for (;;) {
      const before = this.#offset;
      const end = await this.#once(push);
      if (query.signal.aborted || end.code === 'finished' || end.code === 'retention') return end;
      failures = this.#offset > before ? 0 : failures + 1;
      bounded = !query.follow || (await this.#hasEnded()) ? bounded + 1 : 0;
      if (bounded >= TRIES) return end;
      await clock.sleep(backoffMs(BACKOFF, failures), query.signal).catch(() => undefined);
    }
  }

  async #once(push: (event: LogEvent) => Promise<void>): Promise<StreamEnd> {
    const { execution, query, streams } = this.#options;
    const tail = this.#begun ? undefined : query.tail;
    let stream: IncomingStream;
    try {
      const { follow, streams: wanted } = query;
      const wish = { follow, fromOffset: this.#offset, streams: wanted };
      stream = await streams.logs(execution, tail === undefined ? wish : { ...wish, tail });
    } catch (thrown) {
      const error = LimpetError.from(thrown);
      return { code: isAbsent(error) ? 'agent-gone' : 'error', message: error.message };
    }
    const leave = (): void => stream.cancel();
    query.signal.addEventListener('abort', leave, { once: true });
    try {
      for await (const value of jsonLines(stream.chunks()))
        await this.#take(logItemSchema.parse(value), push);
    } finally {
      query.signal.removeEventListener('abort', leave);
      stream.cancel();
    }
    return stream.end ?? { code: 'error', message: 'the stream has ended without a reason' };
  }

  async #take(item: LogItem, push: (event: LogEvent) => Promise<void>): Promise<void> {
    this.#begun = true;
    if (item.offset < this.#offset) return;
    this.#offset = item.truncatedBefore ?? item.offset + Buffer.from(item.data, 'base64').length;
    const { id, nodeId } = this.#options.execution;
    await push({ executionId: id, nodeId, ...item });
  }

  async #hasEnded(): Promise<boolean> {
    const { reader, execution } = this.#options;
    const now = await reader.execution(execution.id);
    return now === undefined || isTerminal(now.state);
  }
}

function isAbsent({ code }: LimpetError): boolean {
  return code === 'unavailable' || code === 'timeout';
}
