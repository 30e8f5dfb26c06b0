/**
 * The log of a job: those of its executions that count (counting.ts), each from its node, joined in the order of their
 * times. With `follow` they are joined as they come: it waits for work to begin, takes in executions that are placed
 * later, goes on by offset where a broken stream ended, and ends with the job.
 */
import { setMaxListeners } from 'node:events';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionId } from '../../core/ids.ts';
import { isTerminalJobState } from '../../core/job.ts';
import type { LogEnd } from '../../wire/http.ts';
import type { LogSource } from '../../wire/log-frames.ts';
import type { Watchers } from '../jobs/watchers.ts';
import { partitionOf } from '../scheduling/partitions.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';
import { ArrivalOrder } from './arrival-order.ts';
import { countingOf, isThere } from './counting.ts';
import { ExecutionLog } from './execution-log.ts';
import type { LogItem, LogOutput } from './log-items.ts';
import type { LogBatch, LogJoin } from './log-join.ts';
import type { LogQuery } from './log-query.ts';
import type { LogOrigin } from './log-origin.ts';
import { TapTable } from './tap-table.ts';
import { TimeOrder } from './time-order.ts';

export interface LogReaderOptions {
  readonly origin: LogOrigin;
  readonly reader: Reader;
  readonly watchers: Watchers;
}

/** What is read of one job for one reader. */
interface Reading {
  readonly query: LogQuery;
  readonly join: LogJoin;
  /** What each has ended with. */
  readonly running: Map<ExecutionId, LogEnd | undefined>;
  readonly following: Promise<void>[];
  /** Number of the next source. */
  nextIndex: number;
}

export class LogReader {
  readonly #options: LogReaderOptions;
  readonly #taps: TapTable;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#taps = new TapTable(options.origin);
  }

  /** The last of it is one `end`, unless the signal fires before. */
  async *read(query: LogQuery): AsyncGenerator<LogBatch> {
    const { signal } = query;
    // One listener for each execution is no leak.
    setMaxListeners(0, signal);
    const join = query.follow
      ? new ArrivalOrder(signal)
      : new TimeOrder(this.#options.origin.clock, signal);
    const reading = { query, join, running: new Map(), following: [], nextIndex: 1 };
    const ending = this.#pump(reading).then(
      (end) => {
        join.close();
        return end;
      },
      (thrown: unknown): LogEnd => {
        join.close();
        const error = LimpetError.from(thrown);
        return { code: 'error', message: error.message };
      },
    );
    yield* join;
    const end = await ending;
    if (!query.signal.aborted) yield [{ type: 'end', data: end }];
  }

  async #pump(reading: Reading): Promise<LogEnd> {
    const { query, running } = reading;
    const { reader, watchers } = this.#options;
    const changes = watchers.watch(query.jobId, query.signal);
    try {
      for (;;) {
        const job = await reader.job(query.jobId);
        const over = job === undefined || isTerminalJobState(job.state);
        if (job !== undefined) await this.#begin(job, reading);
        if (over || !query.follow) break;
        if (query.executionId !== undefined && running.size > 0) break;
        if (!(await changes.next())) break;
      }
    } finally {
      changes.stop();
    }
    await Promise.all(reading.following);
    return this.#end(reading);
  }

  async #begin(job: JobRecord, reading: Reading): Promise<void> {
    const { query, running, following } = reading;
    for (const execution of await this.#chosen(job, query)) {
      if (running.has(execution.id)) continue;
      running.set(execution.id, undefined);
      const ended = this.#follow({ job, execution }, reading).then((end) => {
        running.set(execution.id, end);
      });
      following.push(ended);
      if (query.inTurn === true) await ended;
    }
  }

  async #chosen(job: JobRecord, { executionId }: LogQuery): Promise<readonly ExecutionRecord[]> {
    const all = await this.#options.reader.executionsOf(job.id);
    if (executionId === undefined) return countingOf(job, all);
    return all.filter((one) => one.id === executionId && isThere(one));
  }

  #follow(of: SourceOf, reading: Reading): Promise<LogEnd> {
    const { query, join } = reading;
    const lane = join.enter();
    const begin = (recorded: boolean): ((items: readonly LogItem[]) => Promise<void>) => {
      const index = reading.nextIndex++;
      // Before it writes anything: who follows a tail knows then that all that comes is wanted.
      void lane.push([{ type: 'source', index, source: sourceOf(of, recorded) }]);
      return (items) => lane.push(items.flatMap((item) => outputOf(item, index)));
    };
    let record: ReturnType<typeof begin> | undefined;
    const { execution } = of;
    const log = new ExecutionLog({
      ...{ origin: this.#options.origin, taps: this.#taps, execution, query },
    });
    const items = begin(false);
    const recorded = (some: readonly LogItem[]): Promise<void> => (record ??= begin(true))(some);
    return log
      .pumpTo({ items, recorded })
      .catch((thrown: unknown): LogEnd => {
        const { message } = LimpetError.from(thrown);
        return { code: 'error', message };
      })
      .finally(() => lane.leave());
  }

  /** The worst of those that count in the end: what was lost and done again elsewhere is no loss. */
  async #end({ query, running }: Reading): Promise<LogEnd> {
    if (running.size === 0) return { code: 'finished', message: 'no execution has a log' };
    const job = await this.#options.reader.job(query.jobId);
    const counting = job === undefined ? [] : await this.#chosen(job, query);
    const ids = counting.map(({ id }) => id).filter((id) => running.has(id));
    const bad = [...running].find(
      ([id, end]) => end?.code !== 'finished' && (ids.length === 0 || ids.includes(id)),
    )?.[1];
    return bad ?? { code: 'finished', message: '' };
  }
}

interface SourceOf {
  readonly job: JobRecord;
  readonly execution: ExecutionRecord;
}

function sourceOf({ job, execution }: SourceOf, recorded: boolean): LogSource {
  const partition = partitionOf(job, execution);
  return {
    executionId: execution.id,
    nodeId: execution.nodeId,
    jobName: job.name,
    ...(partition === undefined ? {} : { partition }),
    ...(recorded ? { recorded } : {}),
  };
}

function outputOf(item: LogItem, index: number): readonly LogOutput[] {
  if (item.type === 'frame') return [{ type: 'frame', index, frame: item.frame }];
  return item.type === 'notice' ? [{ type: 'notice', index, text: item.text }] : [];
}
