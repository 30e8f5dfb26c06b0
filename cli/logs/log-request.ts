/** Which part of a job's log is to be shown. */
import { shortId } from '../../core/ids.ts';

export interface LogRequest {
  readonly jobId: string;
  readonly follow: boolean;
  /** Only this one of its executions. */
  readonly execution?: string | undefined;
  /** Only the last lines of each execution. */
  readonly tail?: number | undefined;
  /** Only what was written then or later, ms since the epoch. */
  readonly sinceMs?: number | undefined;
  readonly stream?: 'stdout' | 'stderr' | undefined;
}

/** For people: goes on after output that was written at `shownMs`, the newest that was shown. */
export function commandThatGoesOn(request: LogRequest, shownMs: number | undefined): string {
  const { jobId, follow, execution, tail, stream } = request;
  const sinceMs = shownMs ?? request.sinceMs;
  return [
    `limpet job logs ${shortId(jobId)}`,
    ...(follow ? ['--follow'] : []),
    ...(sinceMs === undefined ? [] : [`--since ${new Date(sinceMs).toISOString()}`]),
    ...(tail === undefined || shownMs !== undefined ? [] : [`--tail ${tail}`]),
    ...(execution === undefined ? [] : [`--execution ${shortId(execution)}`]),
    ...(stream === undefined ? [] : [`--stream ${stream}`]),
  ].join(' ');
}
