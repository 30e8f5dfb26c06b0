/**
 * The end of a rejected node: its orders to stop go out first; when all of its work has ended, or after some seconds, the
 * rest is given up, its session ends, and with an authority its key is void.
 */
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { NodeId } from '../../core/ids.ts';
import { markLost } from '../jobs/report.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { NodeRecord } from '../state/records.ts';
import type { WorldView } from '../state/world.ts';
import { isExpelled } from './expelled.ts';
import type { Links } from './links.ts';
import { heldBy, revoke } from './membership.ts';
import { RegularLook } from './regular-look.ts';
import { replaceSession } from './sessions.ts';

export interface ExpulsionOptions {
  readonly coordinator: Coordinator;
  readonly world: WorldView;
  readonly links: Links;
  readonly clock: Clock;
  readonly log: Logger;
}

/** So long a node has to stop what it runs. */
const GRACE_MS = 10_000;

/** Until it is closed. */
export function expelRejected(options: ExpulsionOptions): RegularLook {
  const { coordinator, world, links, clock, log } = options;
  return new RegularLook({
    ...{ clock, log, failure: 'node.expulsion-not-stored' },
    look: async () => {
      if (due(world, clock.now()).length === 0) return;
      const expelled = await coordinator.run((draft) => expel(options, draft));
      // Its handshake is answered with the reason.
      for (const node of expelled) links.nudge(node);
    },
  });
}

function due(view: WorldView, now: number): NodeRecord[] {
  return [...view.nodes()].filter((node) => {
    if (!isExpelled(node)) return false;
    if (node.session === '' && !isHolder(view, node)) return isUnrevoked(view, node);
    return now - node.membership.at >= GRACE_MS || !isHolder(view, node);
  });
}

function expel({ links, clock, log }: ExpulsionOptions, draft: Draft): NodeId[] {
  const going = due(draft, clock.now());
  for (const node of going) {
    links.get(node.id)?.sender.close();
    const held = heldBy(draft, node.id);
    for (const execution of held)
      markLost(draft, execution, `${node.id} was rejected, and has not told of its end`);
    draft.putNode({ ...node, ...replaceSession(node, '') });
    revoke(draft, node.id, 'rejected');
    log.warn('node.expelled', { nodeId: node.id, givenUp: held.length });
  }
  return going.map(({ id }) => id);
}

function isHolder(view: WorldView, { id }: NodeRecord): boolean {
  for (const { nodeId, state } of view.executions())
    if (nodeId === id && !isTerminal(state)) return true;
  return false;
}

function isUnrevoked(view: WorldView, { id }: NodeRecord): boolean {
  const member = view.roster.members.get(id);
  return member !== undefined && view.roster.revocations.get(member.publicKey) === undefined;
}
