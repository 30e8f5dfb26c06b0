/** How the owner of this node's executions knows them: told at each handshake, and what a store that lost something waits for. */
import { parseExecutionId } from '../../core/ids.ts';
import { isTerminal, type ExecutionState } from '../../core/execution/states.ts';
import type { ExecutionEngine } from './engine.ts';
import type { LiveExecution } from './live.ts';

export interface KnownToOwner {
  readonly executionId: string;
  readonly state: ExecutionState;
  readonly run: number;
  readonly revision: number;
}

export interface OwnerWordDeps {
  readonly engine: ExecutionEngine;
  admit(live: LiveExecution): void;
  look(live: LiveExecution): void;
}

export async function takeOwnerWord(
  deps: OwnerWordDeps,
  known: readonly KnownToOwner[],
): Promise<void> {
  for (const { executionId, ...word } of known) {
    const live = deps.engine.get(parseExecutionId(executionId));
    if (live === undefined) continue;
    const before = live.record.revision;
    await live.serial(async () => {
      await deps.engine.step(live, { type: 'confirmed', ...word });
      if (live.record.revision === before || !isTerminal(word.state)) return;
      const reason = `it has ended as ${word.state} for its owner`;
      await deps.engine.step(live, { type: 'stop', by: 'stop', reason });
    });
    if (live.record.revision === before) continue;
    if (live.record.state === 'accepted') deps.admit(live);
    else deps.look(live);
  }
}
