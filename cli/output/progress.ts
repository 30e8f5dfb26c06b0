/** The progress of a job on stderr: one line that is rewritten at a terminal, else a line per change. */
import { shortId } from '../../core/ids.ts';
import { isTerminal } from '../../core/execution/states.ts';
import { progressLine } from '../../core/live-progress.ts';
import type { WatchEvent } from '../../wire/http.ts';
import type { Context } from '../context.ts';
import { duration } from './format.ts';
import { plainText } from './terminal-text.ts';
import { oneLine, shortenIds } from './table.ts';

const CLEAR_LINE = '\r\u001b[2K';

/** `running (1 running, 2 completed) on n1` */
export function progressText({ job, executions }: WatchEvent): string {
  const counts = new Map<string, number>();
  for (const { state } of executions) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) =>
    executions.length === 1 ? state : `${count} ${state}`,
  );
  const live = executions.filter((execution) => !isTerminal(execution.state));
  const [first] = live;
  const why = first?.progress === undefined ? (first?.reason ?? '') : '';
  const reason = live.length === 0 ? job.message : why;
  const detail = parts.length === 0 ? '' : ` (${parts.join(', ')})`;
  return shortenIds(
    oneLine(`${job.state.toLowerCase()}${detail}${reason === '' ? '' : `: ${reason}`}`),
  );
}

/** `download http://h/x 12 of 40 MB (30 %), and 2 more`; '' when nothing is prepared. */
export function preparingText({ executions }: WatchEvent): string {
  const [first, ...others] = executions.flatMap(({ progress }) => progress ?? []);
  if (first === undefined) return '';
  return oneLine(
    `${progressLine(first)}${others.length === 0 ? '' : `, and ${others.length} more`}`,
  );
}

/** Without a terminal what changes all the time is a line when it begins, and then at most one in this time. */
const LINE_EVERY_MS = 10_000;
/** The amounts at the end of a line that is too long. */
const TAIL = 30;

export class Progress {
  readonly #context: Context;
  readonly #label: string;
  readonly #startedAt: number;
  readonly #rewrite: boolean;
  #text = '';
  #detail = '';
  #writtenAt = 0;
  /** A line stands on the terminal that is not ended yet. */
  #drawn = false;
  #printing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: Context, jobId: string) {
    this.#context = context;
    this.#label = `job ${shortId(jobId)}`;
    this.#startedAt = context.now();
    this.#rewrite = context.stderr.isTTY === true;
  }

  show(text: string, detail = ''): void {
    if (this.#rewrite) this.#redraw(text, detail);
    else if (this.#isDue(text, detail)) this.#write(text, detail);
  }

  /** Where output follows: what is prepared is shown until it begins. */
  showBeforeOutput(text: string, detail: string): void {
    if (detail === '' || this.#printing) this.clear();
    else this.show(text, detail);
  }

  outputBegins(): void {
    this.#printing = true;
    this.clear();
  }

  /** A line that stays, for what is worth knowing beside the output. */
  say(text: string): void {
    if (text === this.#text) return;
    this.clear();
    this.#write(text, '');
  }

  /** Takes the rewritten line away. */
  clear(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#drawn) this.#context.stderr.write(CLEAR_LINE);
    this.#drawn = false;
  }

  #isDue(text: string, detail: string): boolean {
    if (text !== this.#text) return true;
    if (detail === '') return false;
    return this.#detail === '' || this.#context.now() - this.#writtenAt >= LINE_EVERY_MS;
  }

  #write(text: string, detail: string): void {
    [this.#text, this.#detail] = [text, detail];
    this.#writtenAt = this.#context.now();
    this.#context.stderr.write(`${this.#line()}\n`);
  }

  #redraw(text: string, detail: string): void {
    if (this.#drawn && text === this.#text && detail === this.#detail) return;
    [this.#text, this.#detail] = [text, detail];
    this.#draw();
    this.#timer ??= setInterval(() => {
      this.#draw();
    }, 1000).unref();
  }

  #draw(): void {
    const width = (this.#context.stderr.columns || 80) - 1;
    this.#context.stderr.write(`${CLEAR_LINE}${fitting(this.#line(), width)}`);
    this.#drawn = true;
  }

  #line(): string {
    const passed = duration(this.#context.now() - this.#startedAt);
    const detail = this.#detail === '' ? '' : `: ${this.#detail}`;
    return plainText(`${this.#label}  ${passed}  ${this.#text}${detail}`);
  }
}

function fitting(line: string, width: number): string {
  if (line.length <= width) return line;
  if (width <= 2 * TAIL) return line.slice(0, width);
  return `${line.slice(0, width - TAIL - 1)}\u2026${line.slice(-TAIL)}`;
}
