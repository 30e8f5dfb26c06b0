/**
 * Executions in the agent's store.
 *
 *   ex/<id>                     the record
 *   ix/<state>/<id>             every execution of which something may be left (recovery walks only these)
 *   end/<finished at>/<id>      what is over and removed, for housekeeping
 *   ev/<id>/<revision>          one event per change, append-only
 *
 * A change of state, its event, its index entries and its outgoing report go into one batch.
 */
import type { ExecutionId } from '../../core/ids.ts';
import { parseExecutionId } from '../../core/ids.ts';
import { messageOf } from '../../core/errors.ts';
import { KEPT_EVENTS } from '../../core/execution/history.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { EXECUTION_STATES, isTerminal } from '../../core/execution/states.ts';
import type { Corrupt, Store, StoreOp } from '../../adapters/store/port.ts';
import { executionEventSchema, type ExecutionEvent } from '../../wire/messages.ts';
import { parseRecord } from '../../wire/placement.ts';

/** Of one execution, in one row: far below the payload limit of a broker. */
const MOST_SNAPSHOT_EVENTS = 200;

export interface Loaded {
  readonly records: readonly ExecutionRecord[];
  readonly quarantined: readonly Corrupt[];
}

export function eventOf(
  before: ExecutionRecord | undefined,
  after: ExecutionRecord,
  cause: string,
): ExecutionEvent {
  return {
    revision: after.revision,
    at: after.changedAt,
    from: before?.state ?? '',
    to: after.state,
    cause,
  };
}

export class ExecutionRepository {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Operations for changes that are made together; the caller adds the report and commits. */
  change(
    before: ExecutionRecord | undefined,
    after: ExecutionRecord,
    ...events: readonly ExecutionEvent[]
  ): StoreOp[] {
    const id = after.placement.executionId;
    const ops: StoreOp[] = [{ type: 'put', key: `ex/${id}`, value: after }];
    for (const event of events) {
      ops.push({ type: 'put', key: eventKey(id, event.revision), value: event });
      const oldest = event.revision - KEPT_EVENTS;
      if (oldest >= 0) ops.push({ type: 'del', key: eventKey(id, oldest) });
    }
    const from = before === undefined ? undefined : indexKey(before);
    const to = indexKey(after);
    if (from !== undefined && from !== to) ops.push({ type: 'del', key: from });
    if (from !== to) ops.push({ type: 'put', key: to, value: 1 });
    return ops;
  }

  commit(ops: readonly StoreOp[]): Promise<void> {
    return this.#store.batch(ops);
  }

  /** Every record of which something may be left. A record that cannot be read is quarantined and reported. */
  async loadUnfinished(): Promise<Loaded> {
    const records: ExecutionRecord[] = [];
    const quarantined: Corrupt[] = [];
    for (const state of EXECUTION_STATES) {
      const index = await this.#store.scan({ prefix: `ix/${state}/` });
      for (const { key } of [...index.entries, ...index.corrupt]) {
        const id = key.slice(`ix/${state}/`.length);
        const found = await this.#readForRecovery(id);
        if (found.record !== undefined) records.push(found.record);
        if (found.corrupt === undefined) continue;
        quarantined.push(found.corrupt);
        await this.#store.quarantine(found.corrupt);
        await this.#store.batch([{ type: 'del', key }]);
      }
    }
    return { records, quarantined };
  }

  async get(id: ExecutionId): Promise<ExecutionRecord | undefined> {
    const value = await this.#store.get(`ex/${id}`);
    return value === undefined ? undefined : parseRecord(value);
  }

  /** Of every execution that is kept, ended ones too. */
  async ids(): Promise<readonly string[]> {
    const { entries, corrupt } = await this.#store.scan({ prefix: 'ex/' });
    return [...entries, ...corrupt].map(({ key }) => key.slice('ex/'.length));
  }

  async events(id: ExecutionId): Promise<readonly ExecutionEvent[]> {
    const { entries } = await this.#store.scan({ prefix: `ev/${id}/` });
    return entries.map((entry) => executionEventSchema.parse(entry.value));
  }

  /** What is over and removed, oldest end first. */
  async finished(): Promise<readonly { readonly id: ExecutionId; readonly finishedAt: number }[]> {
    const { entries } = await this.#store.scan({ prefix: 'end/' });
    return entries.map(({ key }) => {
      const [, finishedAt, id = ''] = key.split('/');
      return { id: parseExecutionId(id), finishedAt: Number(finishedAt) };
    });
  }

  /** Every execution that is kept, ended ones too, as rows for a new incarnation of the outbox. */
  async snapshot<Row>(
    toRow: (record: ExecutionRecord, events: readonly ExecutionEvent[]) => Row,
  ): Promise<Row[]> {
    const { entries } = await this.#store.scan({ prefix: 'ex/' });
    const rows: Row[] = [];
    for (const { value } of entries) {
      const record = parseRecord(value);
      const events = await this.events(record.placement.executionId);
      rows.push(toRow(record, events.slice(-MOST_SNAPSHOT_EVENTS)));
    }
    return rows;
  }

  /** Deletes the record and its history. */
  async forget(record: ExecutionRecord): Promise<void> {
    const id = record.placement.executionId;
    const events = await this.#store.scan({ prefix: `ev/${id}/` });
    await this.#store.batch([
      { type: 'del', key: `ex/${id}` },
      { type: 'del', key: indexKey(record) },
      ...[...events.entries, ...events.corrupt].map(({ key }): StoreOp => ({ type: 'del', key })),
    ]);
  }

  async #readForRecovery(id: string): Promise<{ record?: ExecutionRecord; corrupt?: Corrupt }> {
    const { entries, corrupt } = await this.#store.scan({ prefix: `ex/${id}`, limit: 1 });
    if (corrupt[0] !== undefined) return { corrupt: corrupt[0] };
    const entry = entries[0];
    if (entry === undefined)
      return {
        corrupt: { key: `ex/${id}`, reason: 'the index names it, and it is not there', raw: '' },
      };
    try {
      return { record: parseRecord(entry.value) };
    } catch (thrown) {
      return {
        corrupt: { key: entry.key, reason: messageOf(thrown), raw: JSON.stringify(entry.value) },
      };
    }
  }
}

function eventKey(id: ExecutionId, revision: number): string {
  return `ev/${id}/${String(revision).padStart(8, '0')}`;
}

/** Where recovery, or housekeeping, finds a record. */
export function indexKey(record: ExecutionRecord): string {
  const id = record.placement.executionId;
  if (isTerminal(record.state) && record.removed)
    return `end/${String(record.finishedAt ?? record.changedAt).padStart(15, '0')}/${id}`;
  return `ix/${record.state}/${id}`;
}
