/** Stays with a job to its end: progress on stderr, or its output. Ctrl-C leaves the job alone. */
import { setTimeout as delay } from 'node:timers/promises';
import { LimpetError } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { WatchEvent } from '../../wire/http.ts';
import type { LogFrame } from '../../wire/log-frames.ts';
import type { ApiClient } from '../api/client.ts';
import { note } from '../context.ts';
import type { Context } from '../context.ts';
import { getJob, showLog } from '../logs/show-log.ts';
import { preparingText, Progress, progressText } from '../output/progress.ts';
import { watchJob } from './watch-job.ts';

/** After the end of the job its log may be silent for so long before it is given up. */
const LOG_SILENCE_MS = 5_000;
/** Work that never began has no log to wait for. */
const NO_LOG_MS = 200;
const POLL_MS = 100;

export interface Stay {
  readonly jobId: string;
  /** Its output instead of its progress. */
  readonly follow: boolean;
}

/** Rejects with `cancelled` on Ctrl-C, `unavailable` when the requester stays away. */
export async function stayWith(context: Context, api: ApiClient, stay: Stay): Promise<WatchEvent> {
  const leave = new AbortController();
  const onInterrupt = (): void => {
    leave.abort();
  };
  process.once('SIGINT', onInterrupt);
  const progress = new Progress(context, stay.jobId);
  const begins = (): void => progress.outputBegins();
  const log = stay.follow
    ? followLog(context, api, stay.jobId, { signal: leave.signal, begins })
    : undefined;
  try {
    const end = await watchJob(api, stay.jobId, {
      signal: leave.signal,
      onEvent: (event) => {
        showEvent(progress, event, stay.follow);
      },
      onAway: (message) => {
        if (!stay.follow) progress.show(`${message}; waiting for it`);
      },
    });
    await log?.toTheEnd(hasRun(end));
    return end;
  } catch (error) {
    if (!leave.signal.aborted) throw error;
    const message = `no longer waiting; the job goes on: \`limpet job describe ${shortId(stay.jobId)}\``;
    throw new LimpetError('cancelled', message, { cause: error });
  } finally {
    process.off('SIGINT', onInterrupt);
    progress.clear();
    leave.abort();
  }
}

function showEvent(progress: Progress, event: WatchEvent, follow: boolean): void {
  const [text, detail] = [progressText(event), preparingText(event)];
  if (!follow) progress.show(text, detail);
  else if (event.job.state === 'Queued') progress.say(text);
  else progress.showBeforeOutput(text, detail);
}

interface FollowedLog {
  /** Resolves when the log has ended, or has been silent for 5 s. */
  toTheEnd(hasRun: boolean): Promise<void>;
}

function hasRun({ executions }: WatchEvent): boolean {
  return executions.some(({ state, outcome }) => state !== 'declined' && outcome?.by !== 'refused');
}

function followLog(
  context: Context,
  api: ApiClient,
  jobId: string,
  { signal, begins }: { readonly signal: AbortSignal; readonly begins: () => void },
): FollowedLog {
  let lastDataAt = performance.now();
  let over = false;
  const onData = (kind: LogFrame['kind']): void => {
    lastDataAt = performance.now();
    if (kind !== 'source') begins();
  };
  // A log that cannot be shown to its end is said so, and does not change how the job went.
  const request = { jobId, follow: true };
  const reading = getJob(api, jobId)
    .catch(() => undefined)
    .then((job) => showLog(api, context, { job, request, signal, onData }))
    .catch((error: unknown) => {
      const { code, message } = LimpetError.from(error);
      if (code !== 'cancelled') note(context, `warning: the log is not whole: ${message}`);
    })
    .finally(() => (over = true));
  return {
    async toTheEnd(hasRun) {
      lastDataAt = performance.now();
      const silenceMs = hasRun ? LOG_SILENCE_MS : NO_LOG_MS;
      while (!over && performance.now() - lastDataAt < silenceMs)
        await Promise.race([reading, delay(POLL_MS, undefined, { signal })]);
      if (!over && hasRun) note(context, 'warning: the log may not be whole: it has no end mark');
    },
  };
}
