/**
 * Tells the requester how far the preparation of executions is: one message a second at the most, of what has changed since
 * the last one, and of what has not for some seconds: a message may be lost, and a requester started anew. What is
 * prepared within a moment is never told of. Nothing waits for it, and nobody is told that it failed.
 */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import type { NodeId } from '../../core/ids.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import { MOST_PROGRESS_BYTES, type ExecutionProgress } from '../../wire/execution-progress.ts';
import { toRequester } from '../../wire/subjects.ts';

const FIRST_MS = 250;
const EVERY_MS = 1_000;
const AGAIN_ROUNDS = 10;

export interface ProgressTellerParts {
  readonly transport: Pick<Transport, 'publish' | 'maxPayload'>;
  readonly clock: Clock;
  readonly nodeId: NodeId;
  /** '' while there is no link. */
  session(this: void): string;
  /** What is told of takes its time: that it is prepared is worth telling now, too. */
  lasts(this: void): void;
}

interface Known {
  readonly progress: LiveProgress;
  /** Since it was told. */
  rounds: number;
  changed: boolean;
}

export class ProgressTeller {
  readonly #parts: ProgressTellerParts;
  readonly #known = new Map<string, Known>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(parts: ProgressTellerParts) {
    this.#parts = parts;
  }

  changed(executionId: string, progress: LiveProgress): void {
    this.#known.set(executionId, {
      progress,
      rounds: this.#known.get(executionId)?.rounds ?? AGAIN_ROUNDS,
      changed: true,
    });
    this.#arm(FIRST_MS);
  }

  /** It is no longer prepared. */
  over(executionId: string): void {
    this.#known.delete(executionId);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#round();
    });
  }

  #round(): void {
    if (this.#known.size === 0) return;
    // Armed even when nothing is left by then: so no two messages come within a second.
    this.#arm(EVERY_MS);
    for (const known of this.#known.values()) known.rounds += 1;
    const session = this.#parts.session();
    if (session !== '') this.#tell(session);
  }

  /** Those that have waited longest first: what does not fit comes with the next message. */
  #tell(session: string): void {
    const { transport, nodeId } = this.#parts;
    const due = [...this.#known]
      .filter(([, { changed, rounds }]) => changed || rounds >= AGAIN_ROUNDS)
      .sort(([, one], [, other]) => other.rounds - one.rounds)
      .map(([executionId, known]) => ({
        known,
        execution: { executionId, progress: known.progress },
      }));
    let bytes = Buffer.byteLength(JSON.stringify({ session, executions: [] }));
    const most = Math.min(MOST_PROGRESS_BYTES, transport.maxPayload);
    const beyond = due.findIndex(({ execution }) => {
      bytes += Buffer.byteLength(JSON.stringify(execution)) + 1;
      return bytes > most;
    });
    const now = beyond === -1 ? due : due.slice(0, beyond);
    if (now.length === 0) return;
    const message: ExecutionProgress = { session, executions: now.map((one) => one.execution) };
    try {
      const payload = Buffer.from(JSON.stringify(message));
      transport.publish(toRequester(nodeId, 'ExecutionProgress'), payload);
    } catch {
      // No connection, most likely: the next round comes all the same.
      return;
    }
    this.#parts.lasts();
    for (const { known } of now) Object.assign(known, { rounds: 0, changed: false });
  }
}
