/** What may happen to an execution, and what a change of its state asks to be done. */
import type { Outcome } from './outcome.ts';
import type { Placement } from '../job.ts';
import type { PublishedResult } from './record.ts';
import type { ExecutionState } from './states.ts';

export type ExecutionEvent =
  | { readonly type: 'decline'; readonly reason: string }
  /** Admitted: fetch what the run needs. */
  | { readonly type: 'admit' }
  | { readonly type: 'prepared'; readonly digest: string }
  /** The work itself cannot run: missing image, invalid module, input not allowed. */
  | { readonly type: 'refuse'; readonly reason: string }
  /** The run was seen running: first start, adoption, or a start outside of us (another start time). */
  | {
      readonly type: 'started';
      readonly run: number;
      readonly startedAt: number;
      readonly handle?: string;
      /** Recovery found it running: why it was adopted, for the history. */
      readonly adopted?: string;
    }
  | {
      readonly type: 'exited';
      readonly run: number;
      readonly outcome: Outcome;
      readonly startedAt?: number;
      readonly finishedAt: number;
    }
  | { readonly type: 'stop'; readonly by: 'stop' | 'limit'; readonly reason: string }
  /** An end was asked for and there is nothing (any more) to stop. */
  | { readonly type: 'nothing-to-stop' }
  /** Marked or stored as begun, and gone without an exit record. */
  | { readonly type: 'lost'; readonly reason: string }
  | { readonly type: 'restart-due' }
  /** How its owner knows it: as stored here, or, when this store is an older copy, further on. */
  | {
      readonly type: 'confirmed';
      readonly state: ExecutionState;
      readonly run: number;
      readonly revision: number;
    }
  /** A run is there that the record knows nothing of (its store is an older copy): it becomes the record's run. */
  | { readonly type: 'found'; readonly run: number }
  | {
      readonly type: 'published';
      readonly result?: PublishedResult;
      readonly output: { readonly stdout: string; readonly stderr: string };
    }
  | { readonly type: 'publish-failed'; readonly reason: string }
  | { readonly type: 'removed' }
  /** Of what is foreign: its owner knows it, and sends its placement again. */
  | { readonly type: 'claim'; readonly placement: Placement }
  /** Of what is foreign: a word on it that is no claim. A stop order follows by itself. */
  | {
      readonly type: 'answer';
      readonly by: 'owner' | 'operator';
      readonly word: 'adopt' | 'stop';
    };

export type ExecutionEventType = ExecutionEvent['type'];

/** Idempotent under (execution id, run); each answers with an event. */
export type Effect =
  | { readonly type: 'prepare' }
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  | { readonly type: 'publish' }
  /** Of one run that is over while the execution goes on. */
  | { readonly type: 'remove-run'; readonly run: number }
  /** Everything of this execution, and give its resources back. */
  | { readonly type: 'remove' }
  | { readonly type: 'schedule-restart'; readonly at: number };
