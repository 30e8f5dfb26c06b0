/**
 * The log of a job: those of its executions that count (counting.ts), each from its node, joined as they come. With `follow` it waits for work to
 * begin, takes in executions that are placed later, goes on by offset where a broken stream ended, and ends with the job.
 */
import type { Clock } from '../../adapters/clock/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionId } from '../../core/ids.ts';
import { isTerminalJobState } from '../../core/job.ts';
import type { LogEnd, LogEvent } from '../../wire/http.ts';
import type { Watchers } from '../jobs/watchers.ts';
import type { NodeStreams } from '../nodes/streams.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';
import { Channel } from './channel.ts';
import { countingOf, isThere } from './counting.ts';
import { ExecutionLog } from './execution-log.ts';
import type { LogQuery } from './log-query.ts';

export interface LogReaderOptions {
  readonly streams: NodeStreams;
  readonly reader: Reader;
  readonly watchers: Watchers;
  readonly clock: Clock;
}

export type LogOutput =
  | { readonly type: 'log'; readonly data: LogEvent }
  | { readonly type: 'end'; readonly data: LogEnd };

export class LogReader {
  readonly #options: LogReaderOptions;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  /** Ends with exactly one `end`, unless the signal fires before. */
  async *read(query: LogQuery): AsyncIterable<LogOutput> {
    const channel = new Channel<LogEvent>(query.signal);
    const ending = this.#pump(query, channel).then(
      (end) => {
        channel.close();
        return end;
      },
      (thrown: unknown): LogEnd => {
        channel.close();
        const error = LimpetError.from(thrown);
        return { code: 'error', message: error.message };
      },
    );
    for await (const data of channel) yield { type: 'log', data };
    const end = await ending;
    if (!query.signal.aborted) yield { type: 'end', data: end };
  }

  async #pump(query: LogQuery, channel: Channel<LogEvent>): Promise<LogEnd> {
    const { reader, watchers } = this.#options;
    const changes = watchers.watch(query.jobId, query.signal);
    const running = new Map<ExecutionId, Promise<LogEnd>>();
    try {
      for (;;) {
        const job = await reader.job(query.jobId);
        const over = job === undefined || isTerminalJobState(job.state);
        const executions = job === undefined ? [] : await this.#chosen(job, query);
        for (const execution of executions)
          if (!running.has(execution.id))
            running.set(execution.id, this.#follow(execution, query, channel));
        if (over || !query.follow) break;
        if (query.executionId !== undefined && running.size > 0) break;
        if (!(await changes.next())) break;
      }
    } finally {
      changes.stop();
    }
    return worst(await Promise.all(running.values()));
  }

  async #chosen(job: JobRecord, { executionId }: LogQuery): Promise<readonly ExecutionRecord[]> {
    const all = await this.#options.reader.executionsOf(job.id);
    if (executionId === undefined) return countingOf(job, all);
    return all.filter((one) => one.id === executionId && isThere(one));
  }

  #follow(
    execution: ExecutionRecord,
    query: LogQuery,
    channel: Channel<LogEvent>,
  ): Promise<LogEnd> {
    const log = new ExecutionLog({ ...this.#options, execution, query });
    return log.pumpTo((event) => channel.push(event));
  }
}

function worst(ends: readonly LogEnd[]): LogEnd {
  const bad = ends.find(({ code }) => code !== 'finished');
  return bad ?? { code: 'finished', message: ends.length === 0 ? 'no execution has a log' : '' };
}
