/**
 * The log of one execution for one reader: shared with others while it is followed, else by a stream of its own. When its
 * node cannot give it any more, or does not answer where nobody waits for it, the requester's record does, and says so.
 */
import type { StreamEnd } from '../../adapters/streams/port.ts';
import type { LogEnd } from '../../wire/http.ts';
import type { ExecutionRecord } from '../state/records.ts';
import type { LogItem, LogStart } from './log-items.ts';
import type { LogQuery } from './log-query.ts';
import { hasEnded } from './patience.ts';
import { recordedOutput } from './recorded-output.ts';
import type { LogOrigin } from './log-origin.ts';
import { ResumedLog } from './resumed-log.ts';
import type { TapTable } from './tap-table.ts';

export interface ExecutionLogOptions {
  readonly origin: LogOrigin;
  readonly taps: TapTable;
  readonly execution: ExecutionRecord;
  readonly query: LogQuery;
}

export interface LogTaker {
  /** Resolves when there is room for more. */
  readonly items: (items: readonly LogItem[]) => Promise<void>;
  /** The same, of what is not from the log itself. */
  readonly recorded: (items: readonly LogItem[]) => Promise<void>;
}

export class ExecutionLog {
  readonly #options: ExecutionLogOptions;
  readonly #kinds: ReadonlySet<string>;
  #isEmpty = true;

  constructor(options: ExecutionLogOptions) {
    this.#options = options;
    this.#kinds = new Set([...options.query.streams, 'gap', 'cut']);
  }

  async pumpTo(taker: LogTaker): Promise<LogEnd> {
    let end: StreamEnd = { code: 'reader-gone', message: 'the reader left' };
    for await (const items of await this.#read()) {
      const last = items.at(-1);
      if (last?.type === 'end') end = last.end;
      if (items.some(({ type }) => type === 'frame')) this.#isEmpty = false;
      const wanted = items.filter((item) => this.#isWanted(item));
      if (wanted.length > 0) await taker.items(wanted);
    }
    return this.#orRecorded(end, taker);
  }

  #isWanted(item: LogItem): boolean {
    return item.type === 'frame' ? this.#kinds.has(item.frame.kind) : item.type === 'notice';
  }

  async #read(): Promise<AsyncIterable<readonly LogItem[]>> {
    const { origin, taps, execution, query } = this.#options;
    const { follow, streams, signal } = query;
    const start = this.#start;
    if (follow && !(await hasEnded(origin, execution)))
      return taps.follow(execution, start, signal);
    return new ResumedLog(origin, execution, { start, follow, streams, signal }).read();
  }

  get #start(): LogStart {
    const { execution, query } = this.#options;
    const { after, tail, sinceMs } = query;
    const fromOffset = after?.get(execution.id);
    if (fromOffset !== undefined) return { fromOffset };
    return {
      ...(tail === undefined ? {} : { tail }),
      ...(sinceMs === undefined ? {} : { sinceMs }),
    };
  }

  async #orRecorded(end: StreamEnd, taker: LogTaker): Promise<LogEnd> {
    const { origin, execution, query } = this.#options;
    const began = (query.after?.get(execution.id) ?? 0) > 0;
    const why = whyNone(end, execution);
    if (why === undefined || began || !this.#isEmpty) return end;
    const now = (await origin.now(execution)) ?? execution;
    if (end.code === 'retention' && now.startedAt === undefined)
      return { code: 'finished', message: 'it has not run' };
    const items = recordedOutput(now, why);
    await taker.recorded(items.filter((item) => this.#isWanted(item)));
    return end;
  }
}

/** undefined when the node has given the log, or could. */
function whyNone({ code, message }: StreamEnd, { nodeId }: ExecutionRecord): string | undefined {
  if (code === 'agent-gone') return `node ${nodeId} is away`;
  return code === 'retention' ? message : undefined;
}
