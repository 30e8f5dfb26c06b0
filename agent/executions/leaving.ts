/** What becomes of the executions of a node that stops: they finish, or they are ended. New ones are declined meanwhile. */
import { isTerminal } from '../../core/execution/states.ts';
import { staysUp } from '../../core/job.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { ExecutionEngine } from './engine.ts';
import type { LiveExecution } from './live.ts';

export interface Leaving {
  readonly engine: ExecutionEngine;
  readonly clock: Clock;
  /** Declines what was accepted and has not begun. */
  readonly admit: (live: LiveExecution) => void;
}

const LOOK_MS = 50;

/**
 * What ends by itself may finish, what stays up is stopped; what has no record here is its owner's business and left alone.
 * Resolves when nothing else is left, or when the signal fires.
 */
export async function letFinish(leaving: Leaving, signal: AbortSignal): Promise<void> {
  const { engine, clock } = leaving;
  stopWhatStaysUp(leaving);
  while (known(engine).length > 0 && !signal.aborted) await clock.sleep(LOOK_MS);
}

/** Without a wait; what was accepted and has not begun is declined. */
export function stopWhatStaysUp({ engine, admit }: Pick<Leaving, 'engine' | 'admit'>): void {
  for (const live of known(engine)) {
    if (live.record.state === 'accepted') admit(live);
    else if (staysUp(live.record.placement.kind)) stop(engine, live, 'drain');
  }
}

function known(engine: ExecutionEngine): LiveExecution[] {
  return [...engine.all()].filter(({ record }) => !record.removed && record.foreign === undefined);
}

/** Stops every run; resolves when the last has ended, or the time is over. */
export async function endAll(
  { engine, clock }: Leaving,
  reason: string,
  timeoutMs: number,
): Promise<void> {
  // What has no record here is kept after its end, until its owner answers.
  const left = (): boolean =>
    [...engine.all()].some(
      ({ record }) =>
        !record.removed && (record.foreign === undefined || !isTerminal(record.state)),
    );
  for (const live of engine.all()) stop(engine, live, reason);
  const until = clock.uptime() + timeoutMs;
  while (left() && clock.uptime() < until) await clock.sleep(LOOK_MS);
}

function stop(engine: ExecutionEngine, { record }: LiveExecution, reason: string): void {
  void engine.dispatch(record.placement.executionId, { type: 'stop', by: 'stop', reason });
}
