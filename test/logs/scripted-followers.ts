/** Readers of a scripted node's log, and what they must have got in the end. */
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import type { LogItem, LogStart } from '../../requester/logs/log-items.ts';
import { offsetAfter } from '../../requester/logs/log-items.ts';
import { TapTable } from '../../requester/logs/tap-table.ts';
import type { LogFrame } from '../../wire/log-frames.ts';
import type { ExecutionRecord } from '../../requester/state/records.ts';
import { aJob, aNode, applied } from '../unit/requester-records.ts';
import { ScriptedNode } from './scripted-node.ts';

/** The bytes of every scripted log. */
export const TEXT = Buffer.from(
  Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255),
);
export const RING_BYTES = 16 * 1024;

export function anExecution(): ExecutionRecord {
  const job = aJob({ n: 1 });
  const placement = { job, partition: 0, attempt: 0, node: aNode({ n: 1 }), reason: '' };
  const plan = { stops: [], jobs: [], targets: [], placements: [placement] };
  const [execution] = applied([job], [], { plan, now: 1, firstId: 1 }).executions;
  if (execution === undefined) throw new Error('nothing was placed');
  return { ...execution, revision: 1, state: 'running' };
}

export class Stage {
  readonly clock = new FakeClock();
  readonly node = new ScriptedNode();
  readonly table = new TapTable(this.node.origin(this.clock), RING_BYTES);
  readonly followers: Follower[] = [];
  readonly #execution = anExecution();
  /** Of the next frame. */
  #timeMs = 1_000;
  /** Offset of the first frame of each time. */
  readonly #times = new Map<number, number>();

  print(bytes: number, kind: 'stdout' | 'stderr' | 'gap' = 'stdout'): void {
    const { end } = this.node;
    this.#timeMs += 1;
    this.#times.set(this.#timeMs, end);
    this.node.print({ kind, timeMs: this.#timeMs, data: TEXT.subarray(end, end + bytes) });
  }

  /** Of the last frame. */
  get timeMs(): number {
    return this.#timeMs;
  }

  join(start: LogStart): Follower {
    const stop = new AbortController();
    const items = this.table.follow(this.#execution, start, stop.signal);
    const follower = new Follower(items, stop, start);
    this.followers.push(follower);
    return follower;
  }

  /** All that can happen happens. */
  async settle(ms = 0): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await this.clock.advance(0);
    await this.clock.advance(ms);
    for (let turn = 0; turn < 20; turn += 1) await this.clock.advance(0);
  }

  /** The log is complete, and all who are there read to its end. */
  async finish(): Promise<void> {
    this.node.away = false;
    for (const follower of this.followers) follower.resume();
    this.node.complete();
    for (let look = 0; look < 400 && this.followers.some((one) => !one.isOver); look += 1)
      await this.settle(100);
  }

  /** What is wrong with what a follower got; '' when nothing is. */
  fault({ start, items, left }: Follower): string {
    const begin = start.fromOffset ?? this.#begin(start);
    let next = begin;
    for (const item of items) {
      if (item.type !== 'frame') continue;
      const { frame } = item;
      const { kind, offset } = frame;
      // Words for people are never parted, and may be of what is older than the time asked for.
      const isFirst = next === begin;
      if (isFirst && kind === 'cut' && start.sinceMs !== undefined && offset <= next) continue;
      if (isFirst && kind === 'gap' && offset < next && offsetAfter(frame) > next) next = offset;
      const fault = this.#faultOf(frame, next);
      if (fault !== '') return fault;
      next = offsetAfter(frame);
    }
    if (left) return '';
    const last = items.at(-1);
    if (last?.type !== 'end' || last.end.code !== 'finished') return 'no end';
    return next < this.node.end ? `the end came at ${next} of ${this.node.end}` : '';
  }

  #faultOf({ kind, offset, data }: LogFrame, next: number): string {
    const at = `${kind} of ${data.length} bytes at ${offset} where ${next} was expected`;
    if (kind === 'cut') return offset <= next || offset > this.node.cut ? at : '';
    if (offset !== next) return at;
    const isSame = Buffer.compare(data, TEXT.subarray(offset, offset + data.length)) === 0;
    return isSame ? '' : `${at}: other bytes`;
  }

  #begin({ sinceMs }: LogStart): number {
    if (sinceMs === undefined) return 0;
    return this.#times.get(sinceMs) ?? this.node.end;
  }
}

export class Follower {
  readonly start: LogStart;
  readonly items: LogItem[] = [];
  /** Takes nothing. */
  stalled = false;
  left = false;
  isOver = false;
  readonly #stop: AbortController;
  readonly #source: AsyncGenerator<readonly LogItem[]>;
  #isReading = false;

  constructor(source: AsyncGenerator<readonly LogItem[]>, stop: AbortController, start: LogStart) {
    this.start = start;
    this.#source = source;
    this.#stop = stop;
    void this.#read();
  }

  /** Bytes that came. */
  get bytes(): number {
    return this.items.reduce(
      (sum, item) => sum + (item.type === 'frame' ? item.frame.data.length : 0),
      0,
    );
  }

  get words(): readonly string[] {
    return this.items.flatMap((item) => (item.type === 'notice' ? [item.text] : []));
  }

  leave(): void {
    this.left = true;
    this.#stop.abort();
  }

  resume(): void {
    this.stalled = false;
    void this.#read();
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (!this.stalled) {
      const { value, done } = await this.#source.next();
      if (done === true) {
        this.isOver = true;
        return;
      }
      this.items.push(...value);
    }
    this.#isReading = false;
  }
}
