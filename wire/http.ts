/**
 * The HTTP surface between CLI and requester. Bacalhau's part (`/api/v1/orchestrator`, `/api/v1/agent`) keeps its paths
 * and shapes; what is ours lives under `/api/v1/limpet`. Errors have Bacalhau's body: {Status, Message, Code, Component,
 * RequestID, Hint?, Details?}.
 *
 * Ours:
 *   GET  /api/v1/limpet/jobs/{id}/logs?execution=&follow=&tail=&since=&stream=&after=   what comes depends on Accept:
 *          text/event-stream, or none                                     SSE of LogEvent, LogSourceEvent, LogNoticeEvent, LogEnd
 *          application/vnd.limpet.log-frames                              frames of wire/log-frames.ts
 *          text/plain, or ?download=1                                     plain bytes, trailer X-Limpet-Log-End: code
 *   GET  /api/v1/limpet/jobs/{id}/watch                                    SSE of WatchEvent until the job is terminal
 *   GET  /api/v1/limpet/executions/{id}                                    ExecutionDetail
 *   GET  /api/v1/limpet/executions/{id}/explain                            ExecutionExplanation
 *   GET  /api/v1/limpet/executions/{id}/result.tar.gz                      the published archive (token by header, or
 *                                                                         the expiring `?sig=` of the results list)
 *   POST /api/v1/limpet/foreign/{id}                                       {word: adopt | stop}: an operator's word
 *   POST /api/v1/limpet/api-tokens                                         {role, name?, ttlMs?} -> NewApiToken
 *   GET  /api/v1/limpet/api-tokens                                         {tokens: ApiTokenView[]}
 *   DELETE /api/v1/limpet/api-tokens/{id}                                  ApiTokenView: it is revoked
 *   POST /api/v1/limpet/node-tokens                                        {name?, ttlMs?, uses?, pending?} -> NewJoinToken
 *   GET  /api/v1/limpet/node-tokens                                        {tokens: JoinTokenView[]}
 *   DELETE /api/v1/limpet/node-tokens/{id}                                 JoinTokenView: it is revoked
 *   GET  /api/v1/limpet/engines                                            {Engines: EngineSchemas[]}
 *   POST /api/v1/limpet/jobs/validate                                      {Job} -> JobChecked: nothing is submitted
 *   GET  /api/v1/limpet/metrics                                            Prometheus' text form
 *   GET  /api/v1/limpet/status                                             {RequesterID, Version, Nats, Nodes, Jobs}
 *
 * Where the API is: the requester writes `endpoint.json` {url, pid, caFile?} and `token` (0600) into its data folder.
 */
import type { ExecutionState } from '../core/execution/states.ts';
import type { Outcome } from '../core/execution/outcome.ts';
import type { LiveProgress } from '../core/live-progress.ts';
import type { NodeSide } from './explain.ts';
import type { LogSource } from './log-frames.ts';
import type { ExecutionEvent } from './messages.ts';
import type { Role } from './roles.ts';

/** `data:` of an SSE message of type `message`. Its `id:` is the position after it (wire/log-position.ts). */
export interface LogEvent {
  readonly executionId: string;
  readonly nodeId: string;
  readonly stream: 'stdout' | 'stderr' | 'gap';
  readonly timeMs: number;
  readonly offset: number;
  /** Base64. */
  readonly data: string;
  /** Of a gap that stands for output that is no longer kept: the log goes on here. */
  readonly truncatedBefore?: number;
}

/** `event: source`: whose the events with this executionId are; comes before them. */
export interface LogSourceEvent extends LogSource {
  /** From 1. */
  readonly index: number;
}

/** `event: notice`: a word for people. */
export interface LogNoticeEvent {
  readonly text: string;
  readonly executionId?: string;
}

/** `event: end`, the last; `code` is a close code of the stream. */
export interface LogEnd {
  readonly code: string;
  readonly message: string;
}

export interface WatchEvent {
  readonly job: { readonly id: string; readonly state: string; readonly message: string };
  readonly executions: readonly ExecutionSummary[];
}

export interface ExecutionSummary {
  readonly id: string;
  readonly nodeId: string;
  readonly partition: number;
  readonly attempt: number;
  readonly state: ExecutionState;
  readonly run: number;
  readonly outcome?: Outcome;
  readonly reason: string;
  /** While it is prepared, as far as its node has told. */
  readonly progress?: LiveProgress;
}

export interface ExecutionDetail extends ExecutionSummary {
  readonly jobId: string;
  readonly desired: 'run' | 'stop';
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly events: readonly ExecutionEvent[];
}

export interface ExecutionExplanation {
  readonly owner: ExecutionDetail & { readonly desiredReason: string };
  readonly node: NodeSide;
}

/** Times are ms since the epoch. A token without `expiresAt` has no end. */
export interface ApiTokenView {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly state: 'active' | 'expired' | 'revoked';
  readonly createdAt: number;
  readonly expiresAt?: number;
  readonly revokedAt?: number;
  readonly lastUsedAt?: number;
}

/** Times are ms since the epoch. */
export interface JoinTokenView {
  readonly id: string;
  readonly name: string;
  readonly state: 'active' | 'expired' | 'used up' | 'revoked';
  readonly createdAt: number;
  readonly by: string;
  readonly expiresAt: number;
  /** How many nodes may join with it. */
  readonly uses: number;
  /** What a node becomes that joins with it. */
  readonly membership: 'approved' | 'pending';
  readonly used: readonly { readonly nodeId: string; readonly at: number }[];
  readonly revoked?: { readonly by: string; readonly at: number };
}

export interface NewJoinToken extends JoinTokenView {
  /** Shown this once; the whole of it is stored nowhere. */
  readonly token: string;
}

export interface NewApiToken extends ApiTokenView {
  /** Shown this once; only its hash is stored. */
  readonly token: string;
}

/** Of one type of engine: the approved nodes that have it, and the JSON Schemas that they told of its params. */
export interface EngineSchemas {
  readonly Type: string;
  readonly Nodes: readonly string[];
  /** More than one when nodes have different versions of the executor. */
  readonly Schemas: readonly unknown[];
}

export interface JobChecked {
  readonly Warnings: readonly string[] | null;
  readonly ParamsChecked: boolean;
  /** Why they were not. */
  readonly Reason?: string;
}
