/** The output of one execution as it is; of several, or with times, line by line. */
import { shortId } from '../../core/ids.ts';
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';
import { LinePrinter, type LinePrinterOptions } from './line-printer.ts';
import type { LogPrinter } from './printer.ts';
import { RawPrinter } from './raw-printer.ts';

export class TextPrinter implements LogPrinter {
  readonly #options: LinePrinterOptions;
  #form: LogPrinter;

  constructor(options: LinePrinterOptions) {
    this.#options = options;
    const byLine = options.timestamps || options.names.several;
    this.#form = byLine ? new LinePrinter(options) : new RawPrinter(options.screens);
  }

  begin(source: LogSource): void {
    const { names } = this.#options;
    const before = names.add(source);
    if (names.several && this.#form instanceof RawPrinter) {
      this.#form.end();
      this.#form = new LinePrinter(this.#options);
    }
    if (before !== undefined)
      this.notice(
        source,
        `execution ${shortId(source.executionId)} has taken the place of ${shortId(before)}`,
      );
    this.#form.begin(source);
  }

  take(source: LogSource, frame: LogFrame): void {
    this.#form.take(source, frame);
  }

  notice(source: LogSource | undefined, text: string): void {
    this.#form.notice(source, text);
  }

  end(): void {
    this.#form.end();
  }
}
