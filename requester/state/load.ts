/** The world after a start: every node, every live job, all their executions. Ended jobs are not read. */
import type { Logger } from '../../adapters/log/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import { messageOf } from '../../core/errors.ts';
import type { z } from 'zod';
import { executionKey, executionsOfPrefix, jobKey } from './keys.ts';
import {
  executionRecordSchema,
  jobRecordSchema,
  nodeRecordSchema,
  type ExecutionRecord,
  type JobRecord,
} from './records.ts';
import {
  joinTokenSchema,
  memberSchema,
  revocationSchema,
  Roster,
  ROSTER_PREFIXES,
} from './roster.ts';
import { World } from './world.ts';

export async function loadWorld(store: Store, log: Logger): Promise<World> {
  const world = new World();
  const nodes = await store.scan({ prefix: 'node/' });
  for (const corrupt of nodes.corrupt) await quarantine(store, corrupt, log);
  for (const { key, value } of nodes.entries) {
    const node = nodeRecordSchema.safeParse(value);
    if (node.success) world.put({ nodes: [node.data], jobs: [], executions: [] });
    else
      await quarantine(store, { key, reason: node.error.message, raw: JSON.stringify(value) }, log);
  }
  world.put({ jobs: [], nodes: [], executions: [], roster: await loadRoster(store, log) });
  const live = await store.scan({ prefix: 'live/' });
  for (const { key } of [...live.entries, ...live.corrupt])
    await loadJob(store, world, { id: key.slice('live/'.length), log });
  return world;
}

async function loadRoster(store: Store, log: Logger): Promise<Roster> {
  const roster = new Roster();
  const { tokens, members, revocations } = ROSTER_PREFIXES;
  for (const token of await loadAll(store, log, { prefix: tokens, schema: joinTokenSchema }))
    roster.tokens.put(token.id, token);
  for (const member of await loadAll(store, log, { prefix: members, schema: memberSchema }))
    roster.members.put(member.nodeId, member);
  for (const one of await loadAll(store, log, { prefix: revocations, schema: revocationSchema }))
    roster.revocations.put(one.publicKey, one);
  return roster;
}

async function loadAll<S extends z.ZodType>(
  store: Store,
  log: Logger,
  { prefix, schema }: { readonly prefix: string; readonly schema: S },
): Promise<z.output<S>[]> {
  const { entries, corrupt } = await store.scan({ prefix });
  for (const record of corrupt) await quarantine(store, record, log);
  const records: z.output<S>[] = [];
  for (const { key, value } of entries) {
    const record = schema.safeParse(value);
    if (record.success) records.push(record.data);
    else
      await quarantine(
        store,
        { key, reason: record.error.message, raw: JSON.stringify(value) },
        log,
      );
  }
  return records;
}

async function quarantine(
  store: Store,
  corrupt: Parameters<Store['quarantine']>[0],
  log: Logger,
): Promise<void> {
  log.error('store.quarantined', { key: corrupt.key, reason: corrupt.reason });
  await store.quarantine(corrupt);
}

/** A damaged job stays out, is reported, and stops nobody else. */
async function loadJob(
  store: Store,
  world: World,
  { id, log }: { readonly id: string; readonly log: Logger },
): Promise<void> {
  try {
    const job: JobRecord = jobRecordSchema.parse(await store.get(jobKey(id)));
    const prefix = executionsOfPrefix(id);
    const index = await store.scan({ prefix });
    const executions: ExecutionRecord[] = [];
    for (const { key } of [...index.entries, ...index.corrupt])
      executions.push(
        executionRecordSchema.parse(await store.get(executionKey(key.slice(prefix.length)))),
      );
    world.put({ jobs: [job], executions, nodes: [] });
  } catch (thrown) {
    log.error('job.unreadable', { jobId: id, reason: messageOf(thrown) });
  }
}
