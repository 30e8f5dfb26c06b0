/**
 * What plugins have prepared: where one says that this holds for all runs of the same work, it is asked once, and not for
 * each of a thousand executions. Only of work that has its inputs in itself: what lies elsewhere may change.
 * In memory alone; a client stands for one instance of a plugin, and takes what it has said with it.
 */
import { createHash } from 'node:crypto';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import type { ExecutorClient } from '../plugins/port.ts';
import type { Known } from './engine.ts';

/** Of one client; the oldest goes first. */
const MOST_KNOWN = 256;

interface Of {
  readonly digests: Map<string, string>;
  /** Being asked now. */
  readonly asked: Map<string, Promise<string>>;
}

interface Asking {
  readonly ask: () => Promise<string>;
  /** Nobody waits for it any longer. */
  readonly signal: AbortSignal;
}

export class Prepared {
  readonly #known = new WeakMap<ExecutorClient, Of>();

  /** What need not be asked of an execution that is about to be prepared. */
  known(record: ExecutionRecord, client: ExecutorClient | undefined): Known {
    const work = client === undefined ? undefined : workOf(record, client);
    if (client === undefined || work === undefined) return () => undefined;
    const digest = this.#known.get(client)?.digests.get(work);
    return ({ type }) =>
      type === 'prepare' && digest !== undefined ? { type: 'prepared', digest } : undefined;
  }

  /** By `ask`, unless it is known or another one is asking. Errors: those of `ask`. */
  async digest(
    record: ExecutionRecord,
    client: ExecutorClient,
    { ask, signal }: Asking,
  ): Promise<string> {
    const work = workOf(record, client);
    if (work === undefined) return ask();
    const { digests, asked } = this.#of(client);
    const other = asked.get(work);
    const heard = other === undefined ? undefined : await unlessAborted(other, signal);
    const known = heard ?? digests.get(work);
    if (known !== undefined) return known;
    const asking = ask();
    asked.set(work, asking);
    try {
      const digest = await asking;
      keep(digests, work, digest);
      return digest;
    } finally {
      if (asked.get(work) === asking) asked.delete(work);
    }
  }

  #of(client: ExecutorClient): Of {
    const known = this.#known.get(client) ?? { digests: new Map(), asked: new Map() };
    this.#known.set(client, known);
    return known;
  }
}

/** What Prepare is told, but for the names of the run; undefined when it may not be the same the next time. */
function workOf({ placement }: ExecutionRecord, client: ExecutorClient): string | undefined {
  const { task, owner, kind } = placement;
  const inputs = task.InputSources ?? [];
  if (client.preparesOnce !== true || inputs.some(({ Source }) => Source.Type !== 'inline'))
    return undefined;
  return createHash('sha256')
    .update(JSON.stringify([owner, kind, task]))
    .digest('base64');
}

/** Of another one's asking; undefined when that failed. */
function unlessAborted(asking: Promise<string>, signal: AbortSignal): Promise<string | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const give = (): void => resolve(undefined);
    signal.addEventListener('abort', give, { once: true });
    asking.then(resolve, give).finally(() => signal.removeEventListener('abort', give));
  });
}

function keep(digests: Map<string, string>, work: string, digest: string): void {
  digests.set(work, digest);
  const [oldest] = digests.keys();
  if (digests.size > MOST_KNOWN && oldest !== undefined) digests.delete(oldest);
}
