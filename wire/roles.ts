/**
 * Who may do what over the requester's HTTP API. Each role may do all that the ones before it may:
 *
 *   reader     reads: jobs, executions, nodes, logs, results, metrics
 *   submitter  submits jobs, and stops those that a token of its own name submitted
 *   operator   stops any job; decides on nodes and on what nodes found without a record
 *   admin      makes and revokes tokens
 */
export const ROLES = ['reader', 'submitter', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export function hasRole(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
