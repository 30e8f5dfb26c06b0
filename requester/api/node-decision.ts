/** PUT /api/v1/orchestrator/nodes/{id}: an operator's word on a node, in Bacalhau's shape. */
import { LimpetError } from '../../core/errors.ts';
import { NODE_ACTIONS, type NodeAction } from '../nodes/membership.ts';
import { actorOf } from './actor.ts';
import { answer, pathPart, readBody } from './answer.ts';
import type { ApiContext } from './context.ts';
import { member } from './json.ts';
import { findNode } from './lookup.ts';
import type { RouteTable } from './route-table.ts';

const LONGEST_MESSAGE = 500;

export function nodeDecisionRoute(routes: RouteTable, context: ApiContext): void {
  routes.add('operator', 'PUT /api/v1/orchestrator/nodes/:id', async (c) => {
    const body = await readBody(c);
    const action = actionOf(member(body, 'Action'));
    const message = messageIn(member(body, 'Message'));
    const node = findNode(context.world, pathPart(c, 'id'));
    await context.decide(node.id, { action, message, by: actorOf(c) });
    return answer(c, { Success: true, NodeID: node.id });
  });
}

function actionOf(given: unknown): NodeAction {
  const action = NODE_ACTIONS.find((one) => one === given);
  if (action !== undefined) return action;
  throw new LimpetError(
    'invalid-argument',
    `Action is ${JSON.stringify(given) ?? 'missing'}; expected ${NODE_ACTIONS.join(', ')}`,
  );
}

function messageIn(given: unknown): string {
  if (given === undefined || given === null) return '';
  if (typeof given === 'string' && given.length <= LONGEST_MESSAGE) return given.trim();
  throw new LimpetError(
    'invalid-argument',
    `Message: expected a text of up to ${LONGEST_MESSAGE} letters`,
  );
}
