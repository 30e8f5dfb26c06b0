/** The progress of a job on stderr: one line that is rewritten at a terminal, else a line per change. */
import { shortId } from '../../core/ids.ts';
import { isTerminal } from '../../core/execution/states.ts';
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
  const reason = live.length === 0 ? job.message : (live[0]?.reason ?? '');
  const detail = parts.length === 0 ? '' : ` (${parts.join(', ')})`;
  return shortenIds(
    oneLine(`${job.state.toLowerCase()}${detail}${reason === '' ? '' : `: ${reason}`}`),
  );
}

export class Progress {
  readonly #context: Context;
  readonly #label: string;
  readonly #startedAt: number;
  readonly #rewrite: boolean;
  #text = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(context: Context, jobId: string) {
    this.#context = context;
    this.#label = `job ${shortId(jobId)}`;
    this.#startedAt = context.now();
    this.#rewrite = context.stderr.isTTY === true;
  }

  show(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    if (!this.#rewrite) {
      this.#context.stderr.write(`${this.#line()}\n`);
      return;
    }
    this.#draw();
    this.#timer ??= setInterval(() => {
      this.#draw();
    }, 1000).unref();
  }

  /** A line that stays, for what is worth knowing beside the output. */
  say(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    this.#context.stderr.write(`${this.#line()}\n`);
  }

  /** Takes the rewritten line away. */
  clear(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#rewrite && this.#text !== '') this.#context.stderr.write(CLEAR_LINE);
  }

  #draw(): void {
    const width = (this.#context.stderr.columns || 80) - 1;
    this.#context.stderr.write(`${CLEAR_LINE}${this.#line().slice(0, width)}`);
  }

  #line(): string {
    const passed = duration(this.#context.now() - this.#startedAt);
    return plainText(`${this.#label}  ${passed}  ${this.#text}`);
  }
}
