/** Reads for people and for rare steps: live records from memory, ended ones from the store. */
import { parseExecutionId, parseJobId, type ExecutionId, type JobId } from '../../core/ids.ts';
import type { Entry, Range, Store } from '../../adapters/store/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { executionEventSchema, type ExecutionEvent } from '../../wire/messages.ts';
import {
  backwards,
  eventPrefix,
  executionKey,
  executionsOfPrefix,
  historyPrefix,
  jobKey,
  jobNameKey,
} from './keys.ts';
import {
  executionRecordSchema,
  historyItemSchema,
  jobRecordSchema,
  type ExecutionRecord,
  type HistoryItem,
  type JobRecord,
} from './records.ts';
import type { WorldView } from './world.ts';

export class Reader {
  readonly #store: Store;
  readonly #world: WorldView;
  readonly #log: Logger;

  constructor(store: Store, world: WorldView, log: Logger) {
    this.#store = store;
    this.#world = world;
    this.#log = log;
  }

  async job(id: JobId): Promise<JobRecord | undefined> {
    const live = this.#world.job(id);
    if (live !== undefined) return live;
    const stored = await this.#store.get(jobKey(id));
    return stored === undefined ? undefined : jobRecordSchema.parse(stored);
  }

  async execution(id: ExecutionId): Promise<ExecutionRecord | undefined> {
    const live = this.#world.execution(id);
    if (live !== undefined) return live;
    const stored = await this.#store.get(executionKey(id));
    return stored === undefined ? undefined : executionRecordSchema.parse(stored);
  }

  async jobByName(namespace: string, name: string): Promise<JobRecord | undefined> {
    const id = await this.#store.get(jobNameKey(namespace, name));
    return typeof id === 'string' ? this.job(parseJobId(id)) : undefined;
  }

  /** In order of submission, oldest first unless reversed. */
  async *jobs(reverse: boolean): AsyncIterable<JobRecord> {
    for await (const { value } of this.#each({ prefix: 'job/', reverse })) {
      const stored = jobRecordSchema.parse(value);
      yield this.#world.job(stored.id) ?? stored;
    }
  }

  /** Oldest first. */
  async executionsOf(jobId: JobId): Promise<ExecutionRecord[]> {
    const prefix = executionsOfPrefix(jobId);
    const records: ExecutionRecord[] = [];
    for await (const { key } of this.#each({ prefix })) {
      const record = await this.execution(parseExecutionId(key.slice(prefix.length)));
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  async history(jobId: JobId): Promise<HistoryItem[]> {
    const items: HistoryItem[] = [];
    for await (const { value } of this.#each({ prefix: historyPrefix(jobId) }))
      items.push(historyItemSchema.parse(value));
    return items;
  }

  async events(id: ExecutionId): Promise<ExecutionEvent[]> {
    const events: ExecutionEvent[] = [];
    for await (const { value } of this.#each({ prefix: eventPrefix(id) }))
      events.push(executionEventSchema.parse(value));
    return events;
  }

  /** Ids of this kind that are `text`, begin or end with it (with or without the kind letter); at most two. */
  async idsLike(kind: 'job' | 'exec', text: string): Promise<string[]> {
    const letter = kind === 'job' ? 'j-' : 'e-';
    const head = text.startsWith(letter) ? text : `${letter}${text}`;
    const byHead = await this.#store.scan({ prefix: `${kind}/${head}`, limit: 2 });
    const byTail = await this.#store.scan({ prefix: `${kind}-tail/${backwards(text)}`, limit: 2 });
    const ids = [
      ...byHead.entries.map(({ key }) => key.slice(kind.length + 1)),
      ...byTail.entries.flatMap(({ value }) => (typeof value === 'string' ? [value] : [])),
    ];
    return [...new Set(ids)];
  }

  async *#each({
    prefix,
    reverse = false,
  }: Pick<Range, 'prefix' | 'reverse'>): AsyncIterable<Entry> {
    const step = 500;
    let after: string | undefined;
    for (let seen = 0; ; seen += step) {
      const range = reverse ? { prefix, reverse, limit: seen + step } : { prefix, limit: step };
      const found = await this.#store.scan(
        after === undefined || reverse ? range : { ...range, after },
      );
      for (const bad of found.corrupt)
        this.#log.error('store.corrupt-record', { key: bad.key, reason: bad.reason });
      yield* reverse ? found.entries.slice(seen) : found.entries;
      if (found.entries.length + found.corrupt.length < range.limit) return;
      after = [...found.entries, ...found.corrupt].reduce(
        (last, { key }) => (key > last ? key : last),
        prefix,
      );
    }
  }
}
