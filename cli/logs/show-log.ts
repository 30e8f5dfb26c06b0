/** The log of a job on this command's stdout and stderr, in the form that was asked for. */
import type { LogEnd } from '../../wire/http.ts';
import type { LogFrame } from '../../wire/log-frames.ts';
import type { ApiClient } from '../api/client.ts';
import { jobReply, type Job } from '../api/models.ts';
import type { Context } from '../context.ts';
import { SYSTEM_CLOCK, type LogClock } from './clock.ts';
import { JsonPrinter } from './json-printer.ts';
import type { LogRequest } from './log-request.ts';
import { Names } from './names.ts';
import type { LogPrinter } from './printer.ts';
import { Screens } from './screens.ts';
import { streamLogs } from './stream-logs.ts';
import { TextPrinter } from './text-printer.ts';

/** Work that runs shows itself within this time. */
const WAITING_MS = 300;

export interface ShowLog {
  /** undefined when it cannot be told: then a second partition shows that there are several. */
  readonly job: Job | undefined;
  readonly request: LogRequest;
  readonly signal: AbortSignal;
  readonly form?: 'text' | 'json';
  readonly timestamps?: boolean;
  /** Tells a person at a terminal that the work has not begun. */
  readonly tellsOfWaiting?: boolean;
  onData?(kind: LogFrame['kind']): void;
}

/** Errors: see `streamLogs`. */
export async function showLog(api: ApiClient, context: Context, options: ShowLog): Promise<LogEnd> {
  const clock = SYSTEM_CLOCK;
  const screens = new Screens(context);
  const { request, signal } = options;
  const waiting = clock.after(WAITING_MS, () => tellOfWaiting(screens, options));
  const onData = (kind: LogFrame['kind']): void => {
    waiting.cancel();
    options.onData?.(kind);
  };
  const printer = printerFor(screens, clock, options);
  try {
    return await streamLogs({ api, request, printer, screens, clock, signal, onData });
  } finally {
    waiting.cancel();
  }
}

function printerFor(screens: Screens, clock: LogClock, options: ShowLog): LogPrinter {
  if (options.form === 'json') return new JsonPrinter(screens);
  const names = namesOf(options);
  const { timestamps = false, request } = options;
  return new TextPrinter({ screens, names, clock, timestamps, follow: request.follow });
}

function namesOf({ job, request }: ShowLog): Names {
  if (request.execution !== undefined || job === undefined) return new Names(1, false);
  // One on each node, however many that are.
  if (job.Type === 'ops' || job.Type === 'daemon') return new Names(1, true);
  const count = Math.max(1, job.Count ?? 1);
  return new Names(count, count > 1);
}

function tellOfWaiting(screens: Screens, { job, request, tellsOfWaiting }: ShowLog): void {
  if (tellsOfWaiting !== true || !request.follow || !screens.isTerminal('stderr')) return;
  if (job === undefined || job.State.StateType === 'Running') return;
  const why = job.State.Message === '' ? '' : `: ${job.State.Message}`;
  screens.say(`waiting for ${job.Name || job.ID} to start${why}`);
  void screens.flush();
}

export async function getJob(api: ApiClient, jobId: string): Promise<Job> {
  return (await api.get(`orchestrator/jobs/${encodeURIComponent(jobId)}`, jobReply)).Job;
}
