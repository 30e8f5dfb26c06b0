/** Where the log of an execution comes from. */
import type { Clock } from '../../adapters/clock/port.ts';
import type { IncomingStream } from '../../adapters/streams/port.ts';
import type { LogWish } from '../nodes/streams.ts';
import type { ExecutionRecord } from '../state/records.ts';

export interface LogOrigin {
  readonly clock: Clock;
  /** Ends by itself when the signal of the wish fires. Errors: `unavailable`, `timeout`, and what the node refuses with. */
  open(execution: ExecutionRecord, wish: LogWish): Promise<IncomingStream>;
  /** Its record as it is now. */
  now(execution: ExecutionRecord): Promise<ExecutionRecord | undefined>;
  /** The node is silent, as far as is known. */
  isAway(execution: ExecutionRecord): boolean;
}
