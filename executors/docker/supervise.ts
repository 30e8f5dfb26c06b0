/**
 * Watches one run to its end. The streamed wait is a hint, inspect is the truth; when the engine goes away its absence is
 * recorded and the watch goes on when it is back. While it lives it also keeps deadline and lease, and carries out the stop order.
 */
import {
  EitherSignal,
  LimpetError,
  orderStop,
  pause,
  readLease,
  type ExecutorHost,
  type PluginLog,
  type RunContext,
} from '../../plugins/sdk/index.ts';
import { isAway } from './engine-error.ts';
import { waitForExit } from './engine-streams.ts';
import type { Container, Engine } from './engine.ts';
import { KILLED } from './observe.ts';
import { recordLoss, type EngineLoss } from './run-files.ts';
import { backoffMs } from './backoff.ts';
import type { Held, Stopper } from './stopper.ts';
import { endSurvivors } from './survivors.ts';
import { takesCalls } from './takes-calls.ts';

/** How long one wait may say nothing before inspect is asked. */
const WAIT_MS = 60_000;
const REMOVING_POLL_MS = 1_000;
const STOPPING_POLL_MS = 500;
/** Deadline and lease are wall clock, looked at this often: a suspended host does not stretch it. */
const DEADLINE_LOOK_MS = 15_000;

export interface Watch {
  readonly engine: Engine;
  readonly stopper: Stopper;
  readonly log: PluginLog;
  readonly processes: ExecutorHost['processes'];
  readonly run: RunContext;
  readonly held: Held;
  /** Fires when the lease has a new end. */
  readonly renewed: () => AbortSignal;
  readonly signal: AbortSignal;
}

/**
 * Resolves when the run has ended, with its container, or when it is gone or the signal fires. Never rejects for an engine
 * that is away.
 */
export async function supervise(watch: Watch): Promise<Container | undefined> {
  const ended = new AbortController();
  const stop = () => ended.abort();
  watch.signal.addEventListener('abort', stop, { once: true });
  if (watch.signal.aborted) stop();
  const deadline = keepDeadline(watch, ended.signal);
  // An order that an earlier instance of this plugin did not see to its end.
  watch.stopper.arm(watch.held, ended.signal);
  try {
    return await untilEnded(watch);
  } finally {
    watch.signal.removeEventListener('abort', stop);
    stop();
    await deadline;
  }
}

const ALIVE = new Set(['running', 'paused', 'restarting']);

async function untilEnded(watch: Watch): Promise<Container | undefined> {
  const { engine, held, signal } = watch;
  const { name } = held;
  let loss: EngineLoss | undefined;
  let attempt = 0;
  while (!signal.aborted) {
    try {
      // Inspect is asked after the wait, and before it only when the engine has been away.
      if (loss === undefined) await waitForExit(engine.calls, name, { maxMs: WAIT_MS, signal });
      const container = await held.look();
      if (loss !== undefined) await remember(watch, { ...loss, backAt: Date.now() });
      loss = undefined;
      attempt = 0;
      if (container === undefined) return undefined;
      if (container.status === 'removing') await pause(REMOVING_POLL_MS, signal);
      else if (container.status === 'created') {
        await endSurvivors(container.id, watch);
        return undefined;
      } else if (!ALIVE.has(container.status)) {
        if (await isTrueEnd(container, engine)) return container;
        await pause(STOPPING_POLL_MS, signal);
      }
    } catch (thrown) {
      if (signal.aborted) return undefined;
      watch.log.warn(isAway(thrown) ? 'engine.lost' : 'watch.retry', {
        container: name,
        error: thrown,
      });
      if (isAway(thrown) && loss === undefined) {
        loss = { lostAt: Date.now(), broken: LimpetError.from(thrown).code === 'unavailable' };
        await remember(watch, loss);
      }
      await pause(backoffMs(attempt++), signal);
    }
  }
  return undefined;
}

/** An engine that is stopped ends its containers, and only its next start shows that it did. */
async function isTrueEnd({ exitCode }: Container, { calls }: Engine): Promise<boolean> {
  return !KILLED.has(exitCode) || takesCalls(calls.host);
}

/** Without this record an interrupted run is told as a killed one; that is no reason to stop watching. */
async function remember({ run, log, held }: Watch, loss: EngineLoss): Promise<void> {
  try {
    await recordLoss(run.folder, loss);
  } catch (thrown) {
    log.warn('engine-lost.unwritten', { container: held.name, error: thrown });
  }
}

async function keepDeadline(
  { run, stopper, held, log, renewed }: Watch,
  signal: AbortSignal,
): Promise<void> {
  const { stopGraceMs: graceMs } = run.spec;
  const reason = await whatIsOver({ ...run, renewed }, signal);
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      const order = { by: 'limit', reason, signal: 'SIGTERM', graceMs } as const;
      await orderStop(run.folder, order);
      stopper.arm(held, signal);
      return;
    } catch (thrown) {
      log.error('deadline.unwritten', { container: held.name, error: thrown });
      await pause(backoffMs(attempt), signal);
    }
  }
}

/** Resolves when the deadline, or the lease as it was last renewed, is over, or when the signal fires. */
async function whatIsOver(
  { spec: { deadlineAt }, folder, renewed }: RunContext & Pick<Watch, 'renewed'>,
  signal: AbortSignal,
): Promise<'deadline' | 'lease'> {
  for (;;) {
    // Not a race of promises: each would stay with the one that a long run never keeps.
    using either = new EitherSignal(signal, renewed());
    const now = Date.now();
    const lease = readLease(folder) ?? Number.POSITIVE_INFINITY;
    const deadline = deadlineAt > 0 ? deadlineAt : Number.POSITIVE_INFINITY;
    if (signal.aborted || now >= deadline) return 'deadline';
    if (now >= lease) return 'lease';
    const ms = Math.min(DEADLINE_LOOK_MS, deadline - now, lease - now);
    await pause(ms, either.signal);
  }
}
