/**
 * A log as plain bytes, stdout and stderr as they were printed. What is missing is told in its place, on a line of its own.
 */
import type { LogEnd } from '../../wire/http.ts';
import type { LogOutput } from '../logs/log-items.ts';

const NEWLINE = 10;

export async function* logBytes(
  outputs: AsyncGenerator<readonly LogOutput[]>,
  onEnd: (end: LogEnd) => void,
): AsyncGenerator<Uint8Array> {
  const page = new Page();
  for await (const some of outputs) {
    const parts = some.flatMap((output) => page.bytesOf(output));
    if (parts.length > 0) yield Buffer.concat(parts);
    const last = some.at(-1);
    if (last?.type === 'end') onEnd(last.data);
  }
}

class Page {
  readonly #recorded = new Set<number>();
  #isAtLineStart = true;

  bytesOf(output: LogOutput): readonly Uint8Array[] {
    if (output.type === 'source' && output.source.recorded === true)
      this.#recorded.add(output.index);
    if (output.type === 'notice')
      return this.#recorded.has(output.index) ? [this.#line(output.text)] : [];
    if (output.type !== 'frame') return [];
    const { kind, data } = output.frame;
    if (kind === 'gap' || kind === 'cut') return [this.#line(Buffer.from(data).toString())];
    if (data.length > 0) this.#isAtLineStart = data.at(-1) === NEWLINE;
    return [data];
  }

  #line(text: string): Uint8Array {
    const before = this.#isAtLineStart ? '' : '\n';
    this.#isAtLineStart = true;
    return Buffer.from(`${before}[gap] ${text.trimEnd()}\n`);
  }
}
