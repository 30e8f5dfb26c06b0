/** /api/v1/orchestrator/nodes */
import { matchConstraints } from '../../core/labels.ts';
import { parseSelector } from '../../core/label-selector.ts';
import { LimpetError } from '../../core/errors.ts';
import { isTerminal } from '../../core/execution/states.ts';
import { addResources } from '../../core/resources.ts';
import { heldBy } from '../scheduling/board.ts';
import type { NodeRecord } from '../state/records.ts';
import { answer, pathPart } from './answer.ts';
import type { ApiContext } from './context.ts';
import { findNode } from './lookup.ts';
import { nodeShape, requesterShape, type NodeNow } from './node-shape.ts';
import { count, flag } from './query.ts';
import type { RouteTable } from './route-table.ts';

export function nodeRoutes(routes: RouteTable, context: ApiContext): void {
  const { world, requesterId } = context;
  routes.add('reader', 'GET /api/v1/orchestrator/nodes', (c) => {
    const selectors = (c.req.queries('labels') ?? []).flatMap((text) => parseSelector(text));
    const wanted = oneOf(c.req.query('filter-approval'), 'filter-approval', [
      'approved',
      'pending',
      'rejected',
    ]);
    const status = oneOf(c.req.query('filter-status'), 'filter-status', [
      'connected',
      'disconnected',
    ]);
    const nodes = [...world.nodes()]
      .filter((node) => matchConstraints(node.info.labels, selectors).ok)
      .filter((node) => wanted === undefined || node.membership.state === wanted)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((node) => nodeShape(node, nodeNow(context, node)))
      .filter((shape) => status === undefined || shape.Connection.toLowerCase() === status);
    if (flag(c.req.query('reverse'), 'reverse')) nodes.reverse();
    const limit = count(c.req.query('limit'), 'limit') ?? 0;
    return answer(c, { NextToken: '', Nodes: limit === 0 ? nodes : nodes.slice(0, limit) });
  });
  routes.add('reader', 'GET /api/v1/orchestrator/nodes/:id', (c) => {
    const id = pathPart(c, 'id');
    if (id === requesterId)
      return answer(c, {
        Node: {
          Info: requesterShape(requesterId),
          Membership: 'APPROVED',
          Connection: 'CONNECTED',
        },
      });
    const node = findNode(world, id);
    const { schemas } = context;
    return answer(c, { Node: nodeShape(node, { ...nodeNow(context, node), schemas }) });
  });
}

function nodeNow({ world, presence }: ApiContext, { id }: NodeRecord): NodeNow {
  const ours = [...world.executions()].filter(
    ({ nodeId, state }) => nodeId === id && !isTerminal(state),
  );
  return {
    heardAt: presence.heardAt(id),
    allocated: addResources(heldBy(ours), presence.foreign(id)),
    running: ours.length,
    member: world.roster.members.get(id),
  };
}

function oneOf(
  text: string | undefined,
  name: string,
  words: readonly string[],
): string | undefined {
  if (text === undefined || text === '') return undefined;
  const word = text.toLowerCase();
  if (words.includes(word)) return word;
  throw new LimpetError('invalid-argument', `${name} is '${text}'; expected ${words.join(', ')}`);
}
