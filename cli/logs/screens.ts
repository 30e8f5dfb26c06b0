/**
 * Where the output of work is shown: this command's stdout and stderr. What comes close together is written in one
 * piece, in its order. Two terminals are one screen, with one line that may be unfinished.
 */
import { once } from 'node:events';
import type { Context, Output } from '../context.ts';
import { oneLine, shortenIds } from '../output/table.ts';
import { NO_COLOURS, plainText } from '../output/terminal-text.ts';

export type ScreenName = 'stdout' | 'stderr';

const DIM = '\x1b[2m';
const LINE_FEED = 0x0a;

export class Screens {
  readonly #outputs: Readonly<Record<ScreenName, Output>>;
  readonly #isOne: boolean;
  readonly #mayColour: boolean;
  readonly #pieces: Uint8Array[] = [];
  #piecesOf: ScreenName = 'stdout';
  /** Who has written the unfinished line of each. */
  readonly #writers: Record<ScreenName, object | undefined> = {
    stdout: undefined,
    stderr: undefined,
  };

  constructor({ stdout, stderr, env }: Pick<Context, 'stdout' | 'stderr' | 'env'>) {
    this.#outputs = { stdout, stderr };
    this.#isOne = stdout.isTTY === true && stderr.isTTY === true;
    this.#mayColour = !env['NO_COLOR'];
  }

  isTerminal(name: ScreenName): boolean {
    return this.#outputs[name].isTTY === true;
  }

  hasColours(name: ScreenName): boolean {
    return this.isTerminal(name) && this.#mayColour;
  }

  /** `writer` is whose line it is when it does not end with a line feed. */
  add(name: ScreenName, data: Uint8Array | string, writer: object): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (bytes.length === 0) return;
    this.#push(name, bytes);
    const open = bytes[bytes.length - 1] === LINE_FEED ? undefined : writer;
    this.#writers[name] = open;
    if (this.#isOne) this.#writers.stdout = this.#writers.stderr = open;
  }

  /** The end of all colours, which takes no room. */
  endColours(name: ScreenName): void {
    if (this.isTerminal(name)) this.#push(name, Buffer.from(NO_COLOURS));
  }

  /** Of the line on which the next byte would stand; undefined at the start of a line. */
  lineOf(name: ScreenName): object | undefined {
    return this.#writers[name];
  }

  freshLine(name: ScreenName): void {
    if (this.#writers[name] !== undefined) this.add(name, '\n', this);
  }

  /** A line on stderr; on a terminal without control characters. */
  line(text: string, { dim = false } = {}): void {
    const isDim = dim && this.hasColours('stderr');
    const plain = isDim ? `${DIM}${plainText(text)}${NO_COLOURS}` : plainText(text);
    this.freshLine('stderr');
    this.add('stderr', this.isTerminal('stderr') ? `${NO_COLOURS}${plain}\n` : `${text}\n`, this);
  }

  /** A word of this command or of the requester, told apart from the output of work. */
  say(text: string): void {
    this.line(`-- ${shortenIds(oneLine(text))} --`, { dim: true });
  }

  /** Writes what was added; resolves when there is room for more, and is undefined when there is. */
  flush(signal?: AbortSignal): Promise<unknown> | undefined {
    this.#write();
    const full = Object.values(this.#outputs).filter((output) => output.writableNeedDrain);
    if (full.length === 0) return undefined;
    return Promise.all(
      full.map((output) => once(output, 'drain', signal === undefined ? {} : { signal })),
    );
  }

  #push(name: ScreenName, bytes: Uint8Array): void {
    if (name !== this.#piecesOf) this.#write();
    this.#piecesOf = name;
    this.#pieces.push(bytes);
  }

  #write(): void {
    const [first, ...others] = this.#pieces.splice(0);
    if (first === undefined) return;
    const data = others.length === 0 ? first : Buffer.concat([first, ...others]);
    this.#outputs[this.#piecesOf].write(data);
  }
}
