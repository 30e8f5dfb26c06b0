/** What shows the log of a job. */
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';

export interface LogPrinter {
  /** An execution whose output may come. */
  begin(source: LogSource): void;
  /** A frame of kind stdout, stderr, gap or cut. */
  take(source: LogSource, frame: LogFrame): void;
  /** A word of the requester, on this execution when it names one. */
  notice(source: LogSource | undefined, text: string): void;
  /** Shows what is held back. */
  end(): void;
}
