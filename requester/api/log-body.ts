/** The body of a log over HTTP: made as fast as its reader takes it, and no faster. */
import type { Clock } from '../../adapters/clock/port.ts';

/** A reader that takes nothing for so long is given up. */
export const STALL_MS = 60_000;

export interface LogBody {
  readonly chunks: AsyncGenerator<Uint8Array>;
  readonly clock: Clock;
  /** The reader has left, or has taken nothing for STALL_MS. */
  readonly onGone: () => void;
  /** Ends the connection. */
  readonly cut: () => void;
}

/** The next chunk is asked for when the connection has taken the last one. */
export function logBody({ chunks, clock, onGone, cut }: LogBody): ReadableStream<Uint8Array> {
  let cancelStall = (): void => undefined;
  const gone = (): void => {
    cancelStall();
    onGone();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        cancelStall();
        const next = await chunks.next();
        if (next.done === true) return controller.close();
        const timer = clock.after(STALL_MS, () => {
          gone();
          cut();
        });
        cancelStall = () => timer.cancel();
        controller.enqueue(next.value);
      },
      cancel: gone,
    },
    { highWaterMark: 0 },
  );
}
