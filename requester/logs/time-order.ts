/**
 * Passes on what its lanes bring in the order of its times: a piece is held until each lane has shown what it would bring
 * next, or has left. What one lane brings stays in its order, and is held by nobody else: so each lane has at most one
 * batch here. Words that are no output (whose it is, what is no longer kept, that a node is away) wait for nobody.
 *
 * A lane that keeps the others waiting for too long is passed over until it brings output; what is earlier than what has
 * gone before it comes late.
 */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { LogOutput } from './log-items.ts';
import type { LogBatch, LogJoin, LogLane } from './log-join.ts';

const PATIENCE_MS = 2_000;

export class TimeOrder implements LogJoin {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #lanes = new Set<Lane>();
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.close(), { once: true });
  }

  enter(): LogLane {
    const lane = new Lane();
    this.#lanes.add(lane);
    return {
      push: async (batch) => {
        if (this.#signal.aborted || batch.length === 0) return;
        const taken = lane.add(batch);
        this.#wake();
        await taken;
      },
      leave: () => {
        lane.leave();
        this.#wake();
      },
    };
  }

  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes) {
      lane.leave();
      if (this.#signal.aborted) lane.clear();
    }
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<LogBatch> {
    while (!this.#signal.aborted) {
      const batch = this.#ready();
      if (batch.length > 0) yield batch;
      for (const lane of this.#lanes) {
        lane.release();
        if (lane.isOver) this.#lanes.delete(lane);
      }
      if (this.#closed && this.#lanes.size === 0) return;
      if (batch.length === 0) await this.#change();
    }
  }

  /** All that can be passed on now. */
  #ready(): LogBatch {
    const batch: LogOutput[] = [];
    for (const lane of this.#lanes) lane.takeWords(batch);
    for (let lane = this.#next(); lane !== undefined; lane = this.#next()) lane.take(batch);
    return batch;
  }

  /** The lane whose output is the earliest; undefined when one that is waited for may bring an earlier one. */
  #next(): Lane | undefined {
    let next: Lane | undefined;
    for (const lane of this.#lanes) {
      if (lane.isAwaited) return undefined;
      if (lane.timeMs < (next?.timeMs ?? Infinity)) next = lane;
    }
    return next;
  }

  /** Resolves when a lane has brought something or has left, or when some have been waited for in vain. */
  async #change(): Promise<void> {
    const isHeld = [...this.#lanes].some(({ timeMs }) => timeMs < Infinity);
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (isHeld) timer = this.#clock.after(PATIENCE_MS, () => this.#passOver());
    });
    timer?.cancel();
  }

  #passOver(): void {
    for (const lane of this.#lanes) lane.passOver();
    this.#wake();
  }
}

class Lane {
  #outputs: LogBatch = [];
  /** Index of the next one. */
  #next = 0;
  #taken: (() => void)[] = [];
  #hasLeft = false;
  #isPassedOver = false;

  add(batch: LogBatch): Promise<void> {
    if (batch.some(({ type }) => type === 'frame')) this.#isPassedOver = false;
    this.#outputs = this.#isEmpty ? batch : [...this.#outputs.slice(this.#next), ...batch];
    this.#next = 0;
    return new Promise((taken) => this.#taken.push(taken));
  }

  leave(): void {
    this.#hasLeft = true;
  }

  /** It is not waited for until it brings output. */
  passOver(): void {
    if (this.#isEmpty) this.#isPassedOver = true;
  }

  /** Of the output that is next; Infinity when there is none. */
  get timeMs(): number {
    const output = this.#outputs[this.#next];
    return output?.type === 'frame' ? output.frame.timeMs : Infinity;
  }

  /** It may bring something that is earlier than what the others have. */
  get isAwaited(): boolean {
    return this.#isEmpty && !this.#hasLeft && !this.#isPassedOver;
  }

  /** It has left, and all of it was taken. */
  get isOver(): boolean {
    return this.#isEmpty && this.#hasLeft;
  }

  /** The next one, and the words behind it. */
  take(into: LogOutput[]): void {
    const output = this.#outputs[this.#next];
    if (output === undefined) return;
    into.push(output);
    this.#next += 1;
    this.takeWords(into);
  }

  takeWords(into: LogOutput[]): void {
    for (let word = this.#word(); word !== undefined; word = this.#word()) {
      into.push(word);
      this.#next += 1;
    }
  }

  /** Whoever brought what is all taken may bring more. */
  release(): void {
    if (this.#isEmpty) this.clear();
  }

  clear(): void {
    this.#outputs = [];
    this.#next = 0;
    for (const taken of this.#taken.splice(0)) taken();
  }

  get #isEmpty(): boolean {
    return this.#next === this.#outputs.length;
  }

  #word(): LogOutput | undefined {
    const output = this.#outputs[this.#next];
    if (output?.type === 'frame' && output.frame.kind !== 'cut') return undefined;
    return output;
  }
}
