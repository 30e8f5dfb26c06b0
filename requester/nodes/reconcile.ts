/** What a handshake's list of executions says against ours; pure. */
import { isTerminal } from '../../core/execution/states.ts';
import type { ExecutionId } from '../../core/ids.ts';
import type { Handshake } from '../../wire/messages.ts';
import { isActive } from '../scheduling/partitions.ts';
import type { ExecutionRecord } from '../state/records.ts';

export interface ReconcileInput {
  readonly handshake: Handshake;
  /** Every live execution of ours on this node. */
  readonly ours: readonly ExecutionRecord[];
  /** Ours by the ids of the list, ended ones too. */
  readonly listed: ReadonlyMap<string, ExecutionRecord>;
  /** Rows of this node have been taken that are younger than the list: nothing may be called lost for it. */
  readonly stale: boolean;
  /** The list is younger than every row that was sent there: what it lacks is not on its way. */
  readonly level: boolean;
}

export interface Reconciled {
  readonly unknown: readonly string[];
  /** More was heard of them here than the node remembers. */
  readonly ahead: readonly ExecutionRecord[];
  /** It runs there and must not: asked to stop before, or over in our books. */
  readonly stop: readonly { readonly execution: ExecutionRecord; readonly reason: string }[];
  /** The node had taken it, its executor has recovered, and it is not there. */
  readonly lost: readonly ExecutionRecord[];
  /** Not listed, but its executor still looks. */
  readonly unlisted: readonly ExecutionId[];
}

export function reconcile({ handshake, ours, listed, stale, level }: ReconcileInput): Reconciled {
  const present = new Set(handshake.executions.map(({ executionId }) => executionId));
  const foreign = new Set(handshake.foreign?.map(({ executionId }) => executionId));
  const recovering = new Set(
    handshake.node.executors
      .filter(({ recovery }) => recovery !== 'complete')
      .map(({ name }) => name),
  );
  // One that was never reported may still be on its way to the node; else its placement could not be read there.
  const missing = stale
    ? []
    : ours.filter(
        (mine) =>
          isActive(mine) &&
          (mine.revision > 0 || level) &&
          !present.has(mine.id) &&
          !foreign.has(mine.id),
      );
  return {
    unknown: [...present].filter((id) => !listed.has(id)),
    ahead: handshake.executions.flatMap(({ executionId, revision }) => {
      const mine = listed.get(executionId);
      return mine !== undefined && mine.revision > revision ? [mine] : [];
    }),
    stop: handshake.executions.flatMap(({ executionId, state, token }) => {
      const mine = listed.get(executionId);
      if (mine === undefined || isTerminal(state)) return [];
      const reason = whyStop(mine, token.attempt);
      return reason === undefined ? [] : [{ execution: mine, reason }];
    }),
    lost: missing.filter((mine) => !recovering.has(mine.executor)),
    unlisted: missing.filter((mine) => recovering.has(mine.executor)).map(({ id }) => id),
  };
}

function whyStop(mine: ExecutionRecord, attempt: number): string | undefined {
  if (mine.token.attempt !== attempt) return 'its token is not the one that was given out';
  if (isTerminal(mine.state)) return `it has ended as ${mine.state} for its owner`;
  return mine.desired === 'stop' ? mine.desiredReason : undefined;
}
