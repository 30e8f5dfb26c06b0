/** The output of one execution as it is: byte for byte, on a terminal without control sequences. */
import { asBuffer } from '../../core/as-buffer.ts';
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';
import { TerminalText } from '../output/terminal-text.ts';
import type { LogPrinter } from './printer.ts';
import type { Screens, ScreenName } from './screens.ts';

export class RawPrinter implements LogPrinter {
  readonly #screens: Screens;
  readonly #texts: Readonly<Record<ScreenName, TerminalText | undefined>>;

  constructor(screens: Screens) {
    this.#screens = screens;
    const textOf = (name: ScreenName) =>
      screens.isTerminal(name) ? new TerminalText() : undefined;
    this.#texts = { stdout: textOf('stdout'), stderr: textOf('stderr') };
  }

  begin(): void {
    // Nothing stands before the output.
  }

  take(_source: LogSource, { kind, data }: LogFrame): void {
    if (kind === 'stdout' || kind === 'stderr')
      this.#screens.add(kind, this.#texts[kind]?.take(asBuffer(data)) ?? data, this);
    else this.#screens.line(gapText(data));
  }

  notice(_source: LogSource | undefined, text: string): void {
    this.#screens.say(text);
  }

  end(): void {
    for (const name of ['stdout', 'stderr'] as const) {
      this.#screens.add(name, this.#texts[name]?.end() ?? '', this);
      this.#screens.endColours(name);
    }
  }
}

export function gapText(data: Uint8Array): string {
  return `[gap] ${asBuffer(data).toString('utf8')}`;
}
