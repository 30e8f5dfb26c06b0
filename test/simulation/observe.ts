/** What a plugin can see of a run, by the rules of the real executors (`plugins/sdk/held-run.ts`, `executors/docker/observe.ts`). */
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { Outcome } from '../../core/execution/outcome.ts';
import type { Box, Node } from './node.ts';

export function observe(node: Node, box: Box): ObservedRun {
  const { ref, mark, order, startedAt } = box;
  const seen = {
    ...ref,
    marked: mark !== undefined,
    sameBoot: mark?.boot === node.boot,
    ours: true,
    specHash: order.specHash,
    ...(startedAt === undefined ? {} : { startedAt }),
  };
  if (box.flavour === 'boxed' && node.engineAway) return { ...seen, phase: 'unobservable' };
  if (box.exit === undefined || box.phase === 'removing')
    return {
      ...seen,
      phase: box.phase === 'none' || box.phase === 'exited' ? 'absent' : box.phase,
    };
  return {
    ...seen,
    phase: 'exited',
    outcome: outcomeOf(node, box, box.exit),
    finishedAt: box.exit.at,
  };
}

function outcomeOf(node: Node, { flavour, mark }: Box, exit: NonNullable<Box['exit']>): Outcome {
  const interrupted = flavour === 'boxed' && exit.code === 137 && mark?.boot !== node.boot;
  if (interrupted && exit.outcome.by === 'exit')
    return { by: 'lost', code: exit.code, reason: 'interrupted' };
  return exit.outcome;
}
