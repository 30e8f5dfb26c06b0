/** Prints a text that comes in pieces line by line. */
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { hclogLine } from './hclog.ts';

export class LinePrinter {
  readonly #context: Context;
  readonly #raw: boolean;
  #unfinished = '';

  constructor(context: Context, raw: boolean) {
    this.#context = context;
    this.#raw = raw;
  }

  add(text: string): void {
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = lines.pop() ?? '';
    for (const line of lines) this.#print(line);
  }

  /** The last line may have no end. */
  end(): void {
    if (this.#unfinished !== '') this.#print(this.#unfinished);
    this.#unfinished = '';
  }

  #print(line: string): void {
    print(this.#context, this.#raw ? line : hclogLine(line));
  }
}
