/** What is not as it should be with the store, one sentence each. */
import { damageLine, type DamageReport } from '../../adapters/store/set-aside.ts';
import type { ExecutionEngine } from '../executions/engine.ts';

export interface StoreFacts {
  readonly damage: readonly DamageReport[];
  /** This start found that the store has lost something. */
  readonly amiss: string | undefined;
  /** Why no new work is taken now. */
  noRoom(): string | undefined;
}

export function storeProblems(facts: StoreFacts, engine: ExecutionEngine): string[] {
  const noRoom = facts.noRoom();
  const waiting = [...engine.all()].filter(({ record }) => record.unconfirmed === true);
  return [
    ...(noRoom === undefined ? [] : [`${noRoom}: no new work is taken`]),
    ...facts.damage.map(damageLine),
    ...(facts.amiss === undefined
      ? []
      : [`at this start the store had lost something: ${facts.amiss}`]),
    ...(waiting.length === 0
      ? []
      : [
          `not started before the owner has told how far they were: ` +
            waiting.map(({ record }) => record.placement.executionId).join(', '),
        ]),
  ];
}
