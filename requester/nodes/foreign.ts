/**
 * What a node has found without a record, and asks about. Yours: its placement is sent again, and the node makes it an
 * ordinary execution of its owner. Ended: the owner's word that it has to go; the node judges whether that is proven.
 * Unknown: nothing is said, and the node keeps it.
 */
import { isTerminal } from '../../core/execution/states.ts';
import { LimpetError } from '../../core/errors.ts';
import { idMatches, parseExecutionId, type NodeId } from '../../core/ids.ts';
import type { ForeignExecution } from '../../wire/messages.ts';
import { placeRow } from '../jobs/apply-plan.ts';
import { claim } from '../jobs/claim.ts';
import type { Draft } from '../state/draft.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord, NodeForeign, NodeRecord } from '../state/records.ts';

export interface ForeignContext {
  readonly reader: Reader;
  readonly requesterId: string;
}

/** True when the node tells something else than it told last. */
export function foreignHasChanged(
  node: NodeRecord,
  foreign: readonly ForeignExecution[] = [],
): boolean {
  const before = node.foreign ?? [];
  return (
    before.length !== foreign.length ||
    foreign.some(
      (one, i) => one.executionId !== before[i]?.executionId || one.state !== before[i].state,
    )
  );
}

/** Sends what there is to say, and stores what the node has told; `node` is in the draft. */
export async function answerForeign(
  context: ForeignContext,
  draft: Draft,
  { id, foreign = [] }: { readonly id: NodeId; readonly foreign?: readonly ForeignExecution[] },
): Promise<void> {
  const told: NodeForeign[] = [];
  for (const one of foreign) {
    const { reader } = context;
    const known =
      (await find(reader, draft, one.executionId)) ?? (await claim({ reader, draft }, id, one));
    const verdict = judge(known, one, id);
    if (known !== undefined) say(context, draft, { known, verdict });
    const { executionId, executor, run, state } = one;
    told.push({ executionId, executor, run, state, answer: verdict.answer });
  }
  const node = draft.node(id);
  if (node === undefined) return;
  const there = new Set(told.map(({ executionId }) => executionId));
  const unlisted = node.unlisted.filter((missing) => !there.has(missing));
  draft.putNode({ ...node, unlisted, foreign: told });
}

interface Verdict {
  readonly answer: NodeForeign['answer'];
  readonly reason: string;
}

function judge(
  known: ExecutionRecord | undefined,
  { token }: ForeignExecution,
  node: NodeId,
): Verdict {
  if (known === undefined || known.nodeId !== node) return { answer: 'unknown', reason: '' };
  if (isTerminal(known.state))
    return { answer: 'ended', reason: `it has ended as ${known.state} for its owner` };
  // Below 0: the node could not tell it. An id never changes its token.
  const other = token.attempt >= 0 && known.token.attempt !== token.attempt;
  return other ? { answer: 'unknown', reason: '' } : { answer: 'yours', reason: '' };
}

function say(
  { requesterId }: ForeignContext,
  draft: Draft,
  { known, verdict }: { readonly known: ExecutionRecord; readonly verdict: Verdict },
): void {
  const { id, nodeId } = known;
  const job = draft.job(known.jobId);
  if (verdict.answer === 'ended')
    draft.send(nodeId, { type: 'stop', executionId: id, reason: verdict.reason });
  if (verdict.answer !== 'yours' || job === undefined) return;
  draft.send(nodeId, placeRow(job, known, requesterId));
  if (known.desired === 'stop')
    draft.send(nodeId, { type: 'stop', executionId: id, reason: known.desiredReason });
}

/** Of executions that a node asks about: those that were placed there and are over. */
export async function endedOf(
  { reader }: Pick<ForeignContext, 'reader'>,
  node: NodeId,
  asked: readonly string[],
): Promise<string[]> {
  const found = await Promise.all(asked.map((id) => reader.execution(parseExecutionId(id))));
  return found.flatMap((one) => (one?.nodeId === node && isTerminal(one.state) ? [one.id] : []));
}

/** An operator's word, to the node that has told of it. Errors: `not-found`, `ambiguous-id`. */
export function orderForeign(
  draft: Draft,
  text: string,
  word: 'adopt' | 'stop',
): { readonly executionId: string; readonly nodeId: NodeId } {
  const all = [...draft.nodes()].flatMap(({ id, foreign = [] }) =>
    foreign.map(({ executionId }) => ({ executionId, nodeId: id })),
  );
  const [first, second] = all.filter(({ executionId }) => idMatches(executionId, text));
  if (first === undefined)
    throw new LimpetError('not-found', `no node tells of anything foreign under ${text}`);
  if (second !== undefined)
    throw new LimpetError('ambiguous-id', `several foreign executions match '${text}'`);
  draft.send(first.nodeId, { type: 'foreign', executionId: first.executionId, word });
  return first;
}

async function find(
  reader: Reader,
  draft: Draft,
  text: string,
): Promise<ExecutionRecord | undefined> {
  const id = parseExecutionId(text);
  return draft.execution(id) ?? (await reader.execution(id));
}
