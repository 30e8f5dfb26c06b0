/** The scheduling axis of a node, as far as the node itself decides it: one that is being drained gets no new work. */
import type { NodeRecord } from '../state/records.ts';

type Scheduling = NodeRecord['scheduling'];

/** `draining`: the reason that the node gives; undefined when it takes work. */
export function schedulingOf(
  known: Scheduling | undefined,
  draining: string | undefined,
  now: number,
): Scheduling {
  if (draining !== undefined)
    return known?.by === 'node' && known.reason === draining
      ? known
      : { state: 'ineligible', reason: draining, by: 'node', at: now };
  if (known === undefined)
    return { state: 'eligible', reason: 'registered', by: 'requester', at: now };
  return known.by === 'node'
    ? { state: 'eligible', reason: 'the node takes work again', by: 'requester', at: now }
    : known;
}
