/**
 * What an agent does with its executions when its store has lost something: records are the truth, so the index is made
 * anew from them, and nothing is started from a record before its owner has told how far the execution was.
 * Every step may be done twice.
 */
import type { Store, StoreOp } from '../../adapters/store/port.ts';
import { messageOf } from '../../core/errors.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { isTerminal } from '../../core/execution/states.ts';
import { parseRecord } from '../../wire/placement.ts';
import { indexKey } from './repository.ts';

const PAGE = 500;
const INDEXES = ['ix/', 'end/'];

/** Answers how many executions wait for their owner. */
export async function doubtUnfinished(store: Store): Promise<number> {
  const wanted = new Set<string>();
  let doubted = 0;
  for await (const records of pages(store)) {
    const ops: StoreOp[] = [];
    for (const record of records) {
      wanted.add(indexKey(record));
      ops.push({ type: 'put', key: indexKey(record), value: 1 });
      if (isTerminal(record.state)) continue;
      doubted += 1;
      const id = record.placement.executionId;
      ops.push({ type: 'put', key: `ex/${id}`, value: { ...record, unconfirmed: true } });
    }
    await store.batch(ops);
  }
  await dropStale(store, wanted);
  return doubted;
}

async function dropStale(store: Store, wanted: ReadonlySet<string>): Promise<void> {
  for (const prefix of INDEXES) {
    const { entries, corrupt } = await store.scan({ prefix });
    const stale = [...entries, ...corrupt].filter(({ key }) => !wanted.has(key));
    await store.batch(stale.map(({ key }): StoreOp => ({ type: 'del', key })));
  }
}

/** All records that can be read; one of another shape is set aside. */
async function* pages(store: Store): AsyncGenerator<readonly ExecutionRecord[]> {
  let after = 'ex/';
  for (;;) {
    const { entries, corrupt } = await store.scan({ prefix: 'ex/', after, limit: PAGE });
    for (const record of corrupt) await store.quarantine(record);
    const records: ExecutionRecord[] = [];
    for (const { key, value } of entries) {
      after = key;
      try {
        records.push(parseRecord(value));
      } catch (thrown) {
        await store.quarantine({ key, reason: messageOf(thrown), raw: JSON.stringify(value) });
      }
    }
    yield records;
    if (entries.length < PAGE) return;
  }
}
