/** Follows a job to its end; a requester that goes away is waited for. */
import { setTimeout as delay } from 'node:timers/promises';
import { LimpetError } from '../../core/errors.ts';
import type { WatchEvent } from '../../wire/http.ts';
import type { ApiClient } from '../api/client.ts';
import { watchEventSchema } from '../api/events.ts';
import { isOver } from './exit-code.ts';

const RETRY_MS = 500;
const AWAY_MS = 60_000;

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Each state of the job, as it comes. */
  onEvent(event: WatchEvent): void;
  /** The requester does not answer; called once per absence. */
  onAway(message: string): void;
}

/** Resolves with the terminal event. Rejects with `unavailable` after a minute without the requester. */
export async function watchJob(
  api: ApiClient,
  jobId: string,
  options: WatchOptions,
): Promise<WatchEvent> {
  const path = `limpet/jobs/${encodeURIComponent(jobId)}/watch`;
  let awaySince: number | undefined;
  for (;;) {
    try {
      for await (const { event, data } of api.events(path, { signal: options.signal })) {
        if (event !== 'message') continue;
        awaySince = undefined;
        const seen = watchEventSchema.parse(JSON.parse(data));
        options.onEvent(seen);
        if (isOver(seen)) return seen;
      }
      throw new LimpetError('unavailable', 'the requester closed the stream');
    } catch (error) {
      const problem = LimpetError.from(error);
      if (problem.code !== 'unavailable') throw problem;
      if (awaySince === undefined) options.onAway(problem.message);
      awaySince ??= performance.now();
      if (performance.now() - awaySince > AWAY_MS) throw problem;
    }
    await delay(RETRY_MS, undefined, { signal: options.signal });
  }
}
