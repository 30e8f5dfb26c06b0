/**
 * Keys of the requester's store. Ids are time ordered, so ranges over them are in order of creation. The `-tail` keys hold
 * each id backwards, because people name ids by their random tail.
 *
 *   meta/identity                       {requesterId, epoch}
 *   meta/set-back                       {at}, while it is known as an older copy and the roll call is not over
 *   job/<jobId>                         JobRecord
 *   job-tail/<jobId backwards>          jobId
 *   job-name/<namespace>/<name>         jobId of the youngest job of that name
 *   live/<jobId>                        '' while the job, or one of its executions, has not ended
 *   exec/<executionId>                  ExecutionRecord
 *   exec-tail/<executionId backwards>   executionId
 *   exec-of/<jobId>/<executionId>       ''
 *   history/<jobId>/<seq>               HistoryItem
 *   event/<executionId>/<revision>      ExecutionEvent, as the node recorded it
 *   node/<nodeId>                       NodeRecord
 *   link/<nodeId>/out/..., in/...       adapters/link
 *   join-token/<tokenId>                JoinTokenRecord (roster.ts)
 *   member/<nodeId>                     MemberRecord: the node's key
 *   revoked/<publicKey>                 RevocationRecord
 *   schema/<sha256>                     JSON Schema of params as text, as nodes told it (nodes/schema-shelf.ts)
 *   api-token/<tokenId>                 ApiTokenRecord (api/api-tokens.ts)
 */
import { STORE_SCHEMAS } from '../../wire/version.ts';

export const SCHEMA_VERSION = STORE_SCHEMAS.requester;

export const IDENTITY_KEY = 'meta/identity';
export const SET_BACK_KEY = 'meta/set-back';

export const jobKey = (id: string): string => `job/${id}`;
export const liveKey = (id: string): string => `live/${id}`;
export const executionKey = (id: string): string => `exec/${id}`;
export const API_TOKEN_PREFIX = 'api-token/';
export const apiTokenKey = (id: string): string => `${API_TOKEN_PREFIX}${id}`;
export const SCHEMA_PREFIX = 'schema/';
export const schemaKey = (hash: string): string => `${SCHEMA_PREFIX}${hash}`;
export const nodeKey = (id: string): string => `node/${id}`;
export const executionsOfPrefix = (jobId: string): string => `exec-of/${jobId}/`;
export const executionOfKey = (jobId: string, id: string): string => `exec-of/${jobId}/${id}`;
export const historyPrefix = (jobId: string): string => `history/${jobId}/`;
export const historyKey = (jobId: string, seq: number): string => `history/${jobId}/${padded(seq)}`;
export const eventPrefix = (id: string): string => `event/${id}/`;
export const eventKey = (id: string, revision: number): string => `event/${id}/${padded(revision)}`;
export const linkPrefix = (nodeId: string, side: 'in' | 'out'): string => `link/${nodeId}/${side}/`;

/** `kind` is `job` or `exec`. */
export function tailKey(kind: 'job' | 'exec', id: string): string {
  return `${kind}-tail/${backwards(id)}`;
}

export function jobNameKey(namespace: string, name: string): string {
  return `job-name/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

export function backwards(text: string): string {
  return [...text].reverse().join('');
}

function padded(count: number): string {
  return String(count).padStart(10, '0');
}
