/** A stream that is read beside what else a rule does. */
import { messageOf } from '../../core/errors.ts';

export interface Background<T> {
  /** What has come so far. */
  readonly seen: readonly T[];
  /** `open`, `ended`, or why it failed. */
  readonly state: string;
  /** Breaks it off. */
  close(): void;
}

/** Opens the stream at once; `open` hands the signal on to the call. */
export function background<T>(open: (signal: AbortSignal) => AsyncIterable<T>): Background<T> {
  const seen: T[] = [];
  const closed = new AbortController();
  let state = 'open';
  const read = async () => {
    for await (const message of open(closed.signal)) seen.push(message);
  };
  read().then(
    () => (state = 'ended'),
    (thrown: unknown) => (state = closed.signal.aborted ? 'closed' : messageOf(thrown)),
  );
  return {
    seen,
    get state() {
      return state;
    },
    close: () => closed.abort(),
  };
}
