/**
 * How far executions are that nodes prepare now, as these told last. In memory alone: it goes when the execution has left
 * its preparation, when its node is silent, and when nothing was told of it for a while.
 */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import { parseExecutionId, type ExecutionId, type JobId, type NodeId } from '../../core/ids.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import type { ExecutionProgress } from '../../wire/execution-progress.ts';
import type { Watchers } from '../jobs/watchers.ts';
import type { ExecutionRecord } from '../state/records.ts';
import type { WorldView } from '../state/world.ts';
import { checkSession } from './sessions.ts';

const KEPT_MS = 30_000;
const LOOK_MS = 5_000;
/** Watchers of a job are woken once in this time, however many nodes tell of it. */
const PACE_MS = 1_000;

export interface PreparingParts {
  readonly world: WorldView;
  readonly watchers: Watchers;
  readonly clock: Clock;
}

interface Told {
  readonly jobId: JobId;
  readonly progress: LiveProgress;
  readonly at: number;
}

export class Preparing {
  readonly #parts: PreparingParts;
  readonly #told = new Map<ExecutionId, Told>();
  readonly #news = new Set<JobId>();
  #pace: Timer | undefined;
  #look: Timer | undefined;
  #closed = false;

  constructor(parts: PreparingParts) {
    this.#parts = parts;
  }

  /** Executions that are kept in mind now. */
  get size(): number {
    return this.#told.size;
  }

  /** What a node says of others' executions, or of those that it has told to be further, counts for nothing. */
  take(node: NodeId, { session, executions }: ExecutionProgress): void {
    const { world, clock } = this.#parts;
    if (this.#closed || checkSession(world.node(node), session).type !== 'current') return;
    for (const { executionId, progress } of executions) {
      const execution = find(world, executionId);
      if (execution === undefined || execution.nodeId !== node || !isPrepared(execution)) continue;
      const { id, jobId } = execution;
      this.#told.set(id, { jobId, progress, at: clock.now() });
      this.#news.add(jobId);
    }
    this.#wake();
    this.#watch();
  }

  of(execution: ExecutionRecord): LiveProgress | undefined {
    const told = this.#told.get(execution.id);
    if (told === undefined || !isPrepared(execution)) return undefined;
    const { world, clock } = this.#parts;
    const heard = world.node(execution.nodeId)?.connection.state === 'connected';
    return heard && clock.now() - told.at <= KEPT_MS ? told.progress : undefined;
  }

  /** Their records have changed, and that is durable. */
  changed(executions: Iterable<ExecutionRecord>): void {
    for (const execution of executions) if (!isPrepared(execution)) this.#told.delete(execution.id);
  }

  close(): void {
    this.#closed = true;
    this.#pace?.cancel();
    this.#look?.cancel();
  }

  #wake(): void {
    if (this.#pace !== undefined || this.#news.size === 0) return;
    this.#parts.watchers.wake(this.#news);
    this.#news.clear();
    this.#pace = this.#parts.clock.after(PACE_MS, () => {
      this.#pace = undefined;
      this.#wake();
    });
  }

  /** What is no longer shown is let go of, and whoever watches sees that. */
  #watch(): void {
    if (this.#look !== undefined || this.#told.size === 0) return;
    this.#look = this.#parts.clock.after(LOOK_MS, () => {
      this.#look = undefined;
      for (const [id, { jobId }] of this.#told) {
        const execution = this.#parts.world.execution(id);
        if (execution !== undefined && this.of(execution) !== undefined) continue;
        this.#told.delete(id);
        this.#news.add(jobId);
      }
      this.#wake();
      this.#watch();
    });
  }
}

/** Or will be in a moment: the news of that may come later than this. */
function isPrepared({ state }: ExecutionRecord): boolean {
  return state === 'accepted' || state === 'preparing';
}

function find(world: WorldView, text: string): ExecutionRecord | undefined {
  try {
    return world.execution(parseExecutionId(text));
  } catch {
    return undefined;
  }
}
