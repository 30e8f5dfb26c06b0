/**
 * What a requester does when its store has lost something. Records are the truth, so the indexes are made anew from them.
 * A new epoch tells the nodes that this owner may have forgotten work of theirs: nothing running is stopped for it. Both
 * directions of every link begin anew, since rows in the middle may be gone while the cursor behind them is not.
 * Every step may be done twice.
 */
import type { Store, StoreOp } from '../../adapters/store/port.ts';
import { isTerminalJobState } from '../../core/job.ts';
import { isTerminal } from '../../core/execution/states.ts';
import { executionOfKey, jobNameKey, liveKey, tailKey } from './keys.ts';
import type { Mint } from './minting.ts';
import { executionRecordSchema, jobRecordSchema } from './records.ts';

const PAGE = 500;

export async function rebuildIndexes(store: Store): Promise<void> {
  for await (const values of pages(store, 'job/'))
    await store.batch(values.flatMap((value) => jobIndexes(value)));
  for await (const values of pages(store, 'exec/'))
    await store.batch(values.flatMap((value) => executionIndexes(value)));
}

/** The next handshake finds that the node knows nothing of these rows, and sends what it has to know. */
export async function restartLinks(store: Store, mint: Mint): Promise<void> {
  const nodes = new Set<string>();
  const links = await store.scan({ prefix: 'link/' });
  const records = [...links.entries, ...links.corrupt];
  for (const { key } of records) nodes.add(key.split('/')[1] ?? '');
  await store.batch([
    ...records.map(({ key }): StoreOp => ({ type: 'del', key })),
    ...[...nodes].map((node) => freshLink(node, mint)),
  ]);
}

/** Of a link whose rows are gone here, and perhaps not at the node. */
export function freshLink(node: string, mint: Mint): StoreOp {
  return {
    type: 'put',
    key: `link/${node}/out/meta`,
    value: { incarnation: mint.uuid(), acked: 1, base: 0 },
  };
}

function jobIndexes(value: unknown): StoreOp[] {
  const job = jobRecordSchema.safeParse(value);
  if (!job.success) return [];
  const { id, name, spec, state } = job.data;
  return [
    { type: 'put', key: tailKey('job', id), value: id },
    // In order of creation: the youngest of a name stays.
    { type: 'put', key: jobNameKey(spec.Namespace, name), value: id },
    ...(isTerminalJobState(state) ? [] : [put(liveKey(id))]),
  ];
}

function executionIndexes(value: unknown): StoreOp[] {
  const execution = executionRecordSchema.safeParse(value);
  if (!execution.success) return [];
  const { id, jobId, state } = execution.data;
  return [
    { type: 'put', key: tailKey('exec', id), value: id },
    put(executionOfKey(jobId, id)),
    ...(isTerminal(state) ? [] : [put(liveKey(jobId))]),
  ];
}

function put(key: string): StoreOp {
  return { type: 'put', key, value: '' };
}

async function* pages(store: Store, prefix: string): AsyncGenerator<readonly unknown[]> {
  let after = prefix;
  for (;;) {
    const { entries, corrupt } = await store.scan({ prefix, after, limit: PAGE });
    for (const record of corrupt) await store.quarantine(record);
    yield entries.map(({ value }) => value);
    if (entries.length < PAGE) return;
    after = entries.at(-1)?.key ?? after;
  }
}
