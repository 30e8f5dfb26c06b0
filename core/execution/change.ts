/** What an event changes of an execution's record, and the steps that say so. */
import type { Effect, ExecutionEvent, ExecutionEventType } from './events.ts';
import { withRun, type ExecutionRecord } from './record.ts';
import type { ExecutionState } from './states.ts';

/** What one event does to a record. */
export interface Change {
  readonly to: ExecutionState;
  readonly patch?: Partial<ExecutionRecord>;
  /** Fields that it loses. */
  readonly drop?: readonly (keyof ExecutionRecord)[];
  /** The next revision is above this one too. */
  readonly revision?: number;
  readonly effects?: readonly Effect[];
  /** One sentence for the history. */
  readonly cause: string;
}

/** undefined: it changes nothing. */
export type Step<K extends ExecutionEventType> = (
  record: ExecutionRecord,
  event: Extract<ExecutionEvent, { type: K }>,
  now: number,
) => Change | undefined;

export type Row = { readonly [K in ExecutionEventType]?: Step<K> };

export function applyChange(record: ExecutionRecord, change: Change, now: number): ExecutionRecord {
  const patch = change.patch ?? {};
  const base: Partial<Record<keyof ExecutionRecord, unknown>> = {
    ...withRun(record, patch.run ?? record.run),
  };
  for (const field of change.drop ?? []) delete base[field];
  // The spread of a whole record minus optional fields is a record again.
  return {
    ...base,
    ...patch,
    state: change.to,
    revision: Math.max(record.revision, change.revision ?? 0) + 1,
    changedAt: now,
  } as ExecutionRecord;
}
