/**
 * Subjects. Requester to agent: `node.compute.<nodeId>.<Method>/v1`; agent to requester:
 * `node.requester.<nodeId>.<Method>/v1`, so that one permission pins each agent to its id. A node that has no
 * credentials yet asks for them below `node.join.<tokenId>`.
 */
import type { NodeId } from '../core/ids.ts';

export const TO_AGENT = [
  'Push',
  'ExecutionLogs',
  'ExecutionResult',
  'ExplainExecution',
  'Stream',
] as const;
export const TO_REQUESTER = [
  'Handshake',
  'Heartbeat',
  'Push',
  'Stream',
  'StreamHeartbeat',
  'Renew',
  'ExecutionProgress',
] as const;

export function toAgent(node: NodeId, method: (typeof TO_AGENT)[number], tail?: string): string {
  return `node.compute.${node}.${method}/v1${tail === undefined ? '' : `.${tail}`}`;
}

/** `node` may be `*` to subscribe to all of them. */
export function toRequester(
  node: NodeId | '*',
  method: (typeof TO_REQUESTER)[number],
  tail?: string,
): string {
  return `node.requester.${node}.${method}/v1${tail === undefined ? '' : `.${tail}`}`;
}

/** Where a node asks to join; `tokenId` may be `*` to subscribe to all of them. */
export function toJoin(tokenId: string): string {
  return `node.join.${tokenId}.Join/v1`;
}

export function inboxPrefix(node: NodeId): string {
  return `_INBOX.${node}`;
}

/** The node id in a subject that an agent published on. */
export function nodeOfSubject(subject: string): string {
  return subject.split('.')[2] ?? '';
}
