/**
 * Who follows which execution. Readers share one tap of it; one that wants what the ring of the tap no longer holds reads a
 * stream of its own until it has caught up.
 */
import type { ExecutionId } from '../../core/ids.ts';
import type { ExecutionRecord } from '../state/records.ts';
import type { LogItem, LogStart } from './log-items.ts';
import type { LogOrigin } from './log-origin.ts';
import { ResumedLog } from './resumed-log.ts';
import { Tap, type Member } from './tap.ts';

const RING_BYTES = 1024 * 1024;
const BOTH = ['stdout', 'stderr'] as const;

export class TapTable {
  readonly #origin: LogOrigin;
  readonly #ringBytes: number;
  readonly #taps = new Map<ExecutionId, Tap>();

  constructor(origin: LogOrigin, ringBytes = RING_BYTES) {
    this.#origin = origin;
    this.#ringBytes = ringBytes;
  }

  /** Both streams, to the end of the log. Ends with one `end`, unless the signal fires before. */
  async *follow(
    execution: ExecutionRecord,
    start: LogStart,
    signal: AbortSignal,
  ): AsyncGenerator<readonly LogItem[]> {
    let at: LogStart | undefined = start;
    while (at !== undefined && !signal.aborted) {
      const member = this.#join(execution, at);
      at =
        member === undefined
          ? yield* this.#alone(execution, at, signal)
          : yield* shared(member, at, signal);
    }
  }

  /** Answers where it goes on; undefined when it does not. */
  async *#alone(
    execution: ExecutionRecord,
    start: LogStart,
    signal: AbortSignal,
  ): AsyncGenerator<readonly LogItem[], LogStart | undefined> {
    const log = new ResumedLog(this.#origin, execution, {
      ...{ start, follow: true, streams: BOTH, signal },
    });
    for await (const items of log.read()) {
      yield items;
      if (items.at(-1)?.type === 'end') return undefined;
      const at = log.next === undefined ? undefined : { fromOffset: log.next };
      if (at !== undefined && this.#taps.get(execution.id)?.holds(at) === true) return at;
    }
    return undefined;
  }

  /** Makes the tap when there is none. */
  #join(execution: ExecutionRecord, start: LogStart): Member | undefined {
    const known = this.#taps.get(execution.id);
    if (known !== undefined && !known.isOver) return known.join(start);
    const stop = new AbortController();
    const log = new ResumedLog(this.#origin, execution, {
      ...{ start, follow: true, streams: BOTH, signal: stop.signal },
    });
    const tap = new Tap({ ringBytes: this.#ringBytes, start, log, stop });
    this.#taps.set(execution.id, tap);
    const member = tap.join(start);
    void tap.run().then(() => {
      if (this.#taps.get(execution.id) === tap) this.#taps.delete(execution.id);
    });
    return member;
  }
}

async function* shared(
  member: Member,
  start: LogStart,
  signal: AbortSignal,
): AsyncGenerator<readonly LogItem[], LogStart | undefined> {
  const wake = (): void => member.wake();
  signal.addEventListener('abort', wake, { once: true });
  try {
    for (;;) {
      const items = await member.take(signal);
      if (items === undefined)
        return member.next === undefined ? start : { fromOffset: member.next };
      if (items.length > 0) yield items;
      if (items.at(-1)?.type === 'end') return undefined;
    }
  } finally {
    signal.removeEventListener('abort', wake);
    member.leave();
  }
}
