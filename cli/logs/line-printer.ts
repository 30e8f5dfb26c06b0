/**
 * Whole lines, each behind the name of its execution, its time, or both. The beginning of a line is held: of output that
 * is there already until its end comes, of output that is followed for 100 ms. When it is shown and others want to write,
 * it is ended there, and its rest gets a line of its own.
 */
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';
import { TerminalText } from '../output/terminal-text.ts';
import type { LogClock } from './clock.ts';
import type { Names } from './names.ts';
import type { LogPrinter } from './printer.ts';
import { asBuffer } from '../../core/as-buffer.ts';
import { gapText } from './raw-printer.ts';
import type { Screens, ScreenName } from './screens.ts';

const HOLD_MS = 100;
const MOST_HELD_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;
const ESCAPE = 0x1b;
/** Goes back to the start of the line, where the name stands. */
const RETURNS = /\r(?!\n)/g;

export interface LinePrinterOptions {
  readonly screens: Screens;
  readonly names: Names;
  readonly clock: LogClock;
  readonly timestamps: boolean;
  /** The output is shown while it is written. */
  readonly follow: boolean;
}

/** The unfinished line of one stream of one execution. */
interface Line {
  readonly source: LogSource;
  readonly screen: ScreenName;
  /** On a terminal. */
  readonly text: TerminalText | undefined;
  held: Uint8Array[];
  heldBytes: number;
  /** Of its first byte, ms since the epoch. */
  timeMs: number;
  coloured: boolean;
  /** What stood before the last line, at this version of the names. */
  head: { timeMs: number; version: number; bytes: Uint8Array } | undefined;
  timer: { cancel(): void } | undefined;
}

export class LinePrinter implements LogPrinter {
  readonly #options: LinePrinterOptions;
  readonly #lines = new Map<string, Line>();

  constructor(options: LinePrinterOptions) {
    this.#options = options;
  }

  begin(): void {
    // Nothing stands before the output.
  }

  take(source: LogSource, { kind, data, timeMs }: LogFrame): void {
    if (kind === 'stdout' || kind === 'stderr')
      this.#output(this.#lineOf(source, kind), data, timeMs);
    else this.#gap(source, data, timeMs);
  }

  notice(source: LogSource | undefined, text: string): void {
    const { screens, names } = this.#options;
    screens.say(`${names.inText(source)}${text}`);
  }

  end(): void {
    for (const line of this.#lines.values()) this.#endLine(line);
    for (const name of ['stdout', 'stderr'] as const) {
      this.#options.screens.freshLine(name);
      this.#options.screens.endColours(name);
    }
  }

  #output(line: Line, data: Uint8Array, timeMs: number): void {
    const bytes = this.#forScreen(line, data, timeMs);
    let at = 0;
    for (let feed = bytes.indexOf(LINE_FEED); feed !== -1; feed = bytes.indexOf(LINE_FEED, at)) {
      this.#rest(line, bytes.subarray(at, feed + 1), timeMs);
      at = feed + 1;
    }
    if (at < bytes.length) this.#part(line, bytes.subarray(at), timeMs);
  }

  #forScreen(line: Line, data: Uint8Array, timeMs: number): Uint8Array {
    if (line.text === undefined) return data;
    const text = line.text.take(asBuffer(data));
    return Buffer.from(text.replace(RETURNS, () => `\r${this.#head(line, timeMs)}`));
  }

  /** A line is whole with these bytes. */
  #rest(line: Line, bytes: Uint8Array, timeMs: number): void {
    if (line.held.length > 0) this.#show(line);
    this.#write(line, bytes, timeMs);
    if (line.coloured) this.#options.screens.endColours(line.screen);
    line.coloured = false;
  }

  #part(line: Line, bytes: Uint8Array, timeMs: number): void {
    const { screens, clock, follow } = this.#options;
    if (screens.lineOf(line.screen) === line) {
      this.#write(line, bytes, timeMs);
      return;
    }
    if (line.held.length === 0) line.timeMs = timeMs;
    line.held.push(Buffer.from(bytes));
    line.heldBytes += bytes.length;
    if (line.heldBytes >= MOST_HELD_BYTES) this.#show(line);
    else if (follow)
      line.timer ??= clock.after(HOLD_MS, () => {
        this.#show(line);
        void screens.flush();
      });
  }

  #show(line: Line): void {
    line.timer?.cancel();
    line.timer = undefined;
    line.heldBytes = 0;
    for (const bytes of line.held.splice(0)) this.#write(line, bytes, line.timeMs);
  }

  #write(line: Line, bytes: Uint8Array, timeMs: number): void {
    const { screens } = this.#options;
    if (screens.lineOf(line.screen) !== line) {
      screens.freshLine(line.screen);
      screens.add(line.screen, this.#headBytes(line, timeMs), line);
    }
    screens.add(line.screen, bytes, line);
    if (line.text !== undefined && bytes.includes(ESCAPE)) line.coloured = true;
  }

  /** A piece of output has many lines of one time. */
  #headBytes(line: Line, timeMs: number): Uint8Array {
    const { version } = this.#options.names;
    if (line.head?.timeMs !== timeMs || line.head.version !== version)
      line.head = { timeMs, version, bytes: Buffer.from(this.#head(line, timeMs)) };
    return line.head.bytes;
  }

  #head({ source, screen }: Pick<Line, 'source' | 'screen'>, timeMs: number): string {
    const { names, screens, timestamps } = this.#options;
    const stamp = timestamps ? `${new Date(timeMs).toISOString()} ` : '';
    return `${names.prefixOf(source, screens.hasColours(screen))}${stamp}`;
  }

  #gap(source: LogSource, data: Uint8Array, timeMs: number): void {
    for (const line of this.#lines.values())
      if (line.source.executionId === source.executionId) this.#endLine(line);
    const { names, screens, timestamps } = this.#options;
    const stamp = timestamps ? `${new Date(timeMs).toISOString()} ` : '';
    screens.line(`${names.prefixOf(source, false)}${stamp}${gapText(data)}`);
  }

  /** What is held of it is shown; what comes next begins a line. */
  #endLine(line: Line): void {
    const rest = line.text?.end() ?? '';
    if (rest !== '') this.#part(line, Buffer.from(rest), line.timeMs);
    this.#show(line);
  }

  #lineOf(source: LogSource, screen: ScreenName): Line {
    const key = `${source.executionId} ${screen}`;
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const line: Line = {
      ...{ source, screen, held: [], heldBytes: 0, timeMs: 0, coloured: false, timer: undefined },
      head: undefined,
      text: this.#options.screens.isTerminal(screen) ? new TerminalText() : undefined,
    };
    this.#lines.set(key, line);
    return line;
  }
}
