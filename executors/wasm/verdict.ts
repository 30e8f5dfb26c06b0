/**
 * One run ends once. The guest's thread and the watchdog's thread share a few words of memory; whoever takes the verdict
 * writes the exit record, and the other one does nothing more.
 *
 * The gate makes the record final: the guest's thread is inside it while a call of the guest touches the host, and never
 * enters it again once the verdict is taken, so that nothing can follow the record.
 */
const WORD = { verdict: 0, gate: 1, parked: 2, record: 3 } as const;
const BYTES = 16;

export class Verdict {
  /** For the other thread. */
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** Guest's thread: the exit record is written. */
  recorded(): void {
    Atomics.store(this.#words, WORD.record, 1);
  }

  get isRecorded(): boolean {
    return Atomics.load(this.#words, WORD.record) !== 0;
  }

  /** True for the first caller only. */
  take(): boolean {
    const first = Atomics.compareExchange(this.#words, WORD.verdict, 0, 1) === 0;
    Atomics.notify(this.#words, WORD.verdict);
    return first;
  }

  /** Guest's thread: stays here for good when the run has ended. */
  enter(): void {
    Atomics.store(this.#words, WORD.gate, 1);
    if (Atomics.load(this.#words, WORD.verdict) === 0) return;
    this.park();
  }

  leave(): void {
    Atomics.store(this.#words, WORD.gate, 0);
    Atomics.notify(this.#words, WORD.gate);
  }

  /** Guest's thread: sleeps, or stops for good when the run ends. */
  sleep(ms: number): void {
    if (Atomics.wait(this.#words, WORD.verdict, 0, ms) !== 'timed-out') this.park();
  }

  /** Watchdog: waits, briefly, until the guest's thread is outside the gate. */
  waitForGate(timeoutMs: number): void {
    Atomics.wait(this.#words, WORD.gate, 1, timeoutMs);
  }

  /** Guest's thread: leaves the gate and waits for the end of the process. */
  park(): never {
    this.leave();
    for (;;) Atomics.wait(this.#words, WORD.parked, 0);
  }
}
