/**
 * A log as Bacalhau's clients read it: JSON texts `{"value":{"Type":1,"Line":"hello\n"}}`, 1 for stdout, 2 for stderr; what
 * goes wrong is `error`, in the last. These clients show lines only, so that what is told for people are lines of stderr.
 */
import type { LogFrame } from '../../wire/log-frames.ts';
import type { LogOutput } from '../logs/log-items.ts';

const TYPES = { stdout: 1, stderr: 2 } as const;
type Name = keyof typeof TYPES;

export function errorMessage(error: string): string {
  return JSON.stringify({ error, value: { Type: 0, Line: '' } });
}

export class LogMessages {
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  #stream: Name = 'stdout';
  #line = '';
  #isAtLineStart = true;

  /** Pieces of one stream that come together are one message. */
  of(outputs: readonly LogOutput[]): readonly string[] {
    const messages = outputs.flatMap((output): readonly string[] => {
      if (output.type === 'frame') return this.#frame(output.frame);
      if (output.type === 'notice') return this.#word(output.text);
      if (output.type !== 'end' || output.data.code === 'finished') return [];
      const { code, message } = output.data;
      return [...this.#flush(), errorMessage(`the log ended early (${code}): ${message}`)];
    });
    return [...messages, ...this.#flush()];
  }

  #frame({ kind, data }: LogFrame): readonly string[] {
    if (kind !== 'stdout' && kind !== 'stderr') return this.#word(Buffer.from(data).toString());
    // A character may be parted between two frames.
    return this.#add(kind, this.#decoders[kind].decode(data, { stream: true }));
  }

  #word(text: string): readonly string[] {
    const before = this.#isAtLineStart ? '' : '\n';
    return this.#add('stderr', `${before}[limpet] ${text.trimEnd()}\n`);
  }

  #add(stream: Name, text: string): readonly string[] {
    if (text === '') return [];
    const done = stream === this.#stream ? [] : this.#flush();
    this.#stream = stream;
    this.#line += text;
    this.#isAtLineStart = text.endsWith('\n');
    return done;
  }

  #flush(): readonly string[] {
    const Line = this.#line;
    this.#line = '';
    return Line === '' ? [] : [JSON.stringify({ value: { Type: TYPES[this.#stream], Line } })];
  }
}
