/**
 * Who a run belongs to while two instances of its plugin live: a row `plugin-run/<name>/<execution>/<run>` names the new
 * one; without a row it is the old one's. `plugin/<name>/next` is the new one's record until all runs are its own.
 */
import type { Store, StoreOp } from '../../adapters/store/port.ts';
import type { RunRef } from './port.ts';
import { nextKey, recordKey, type RunningPlugin } from './record.ts';

const ROWS = 'plugin-run/';

export async function putOwner(
  store: Store,
  name: string,
  { ref, instance }: { readonly ref: RunRef; readonly instance: string },
): Promise<void> {
  const key = `${ROWS}${name}/${ref.executionId}/${ref.run}`;
  await store.batch([{ type: 'put', key, value: { v: 1, instance } }]);
}

/** The runs that have a row. */
export async function ownedByNext(store: Store, name: string): Promise<readonly RunRef[]> {
  const { entries } = await store.scan({ prefix: `${ROWS}${name}/` });
  return entries.map(({ key }) => {
    const [, , executionId = '', run = ''] = key.split('/');
    return { executionId, run: Number(run) };
  });
}

/** The new instance is the one; it owns everything. */
export async function commitNext(store: Store, next: RunningPlugin): Promise<void> {
  const key = recordKey(next.name);
  await store.batch([{ type: 'put', key, value: next }, ...(await withoutNext(store, next.name))]);
}

/** There is no new instance; the old one owns everything. */
export async function dropNext(store: Store, name: string): Promise<void> {
  const ops = await withoutNext(store, name);
  if (ops.length > 0) await store.batch(ops);
}

/** Nothing of this plugin is known any more. */
export async function forget(store: Store, name: string): Promise<void> {
  await store.batch([{ type: 'del', key: recordKey(name) }, ...(await withoutNext(store, name))]);
}

async function withoutNext(store: Store, name: string): Promise<StoreOp[]> {
  const { entries, corrupt } = await store.scan({ prefix: `${ROWS}${name}/` });
  const keys = [...entries, ...corrupt].map(({ key }) => key);
  return [nextKey(name), ...keys].map((key) => ({ type: 'del', key }));
}
