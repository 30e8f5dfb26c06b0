/**
 * One JSON object a line on stdout for each piece of output: {time, execution, node, stream, offset, text | data}. `data`
 * is base64, of bytes that are no UTF-8. A letter that is cut at the end of a piece goes to the next one.
 */
import { isUtf8 } from 'node:buffer';
import type { LogFrame, LogSource } from '../../wire/log-frames.ts';
import type { LogPrinter } from './printer.ts';
import { asBuffer } from '../../core/as-buffer.ts';
import type { Screens } from './screens.ts';

/** A terminal could take them for orders; JSON leaves them as they are. */
const CONTROLS = /[\x7f-\x9f]/g;

interface Rest {
  readonly source: LogSource;
  readonly frame: LogFrame;
}

export class JsonPrinter implements LogPrinter {
  readonly #screens: Screens;
  /** The beginning of a letter, of each stream of each execution. */
  readonly #rests = new Map<string, Rest>();

  constructor(screens: Screens) {
    this.#screens = screens;
  }

  begin(): void {
    // Each object names its execution.
  }

  take(source: LogSource, frame: LogFrame): void {
    const { executionId } = source;
    if (frame.kind !== 'stdout' && frame.kind !== 'stderr') {
      for (const stream of ['stdout', 'stderr']) this.#endPiece(`${executionId} ${stream}`);
      this.#print(source, frame);
      return;
    }
    const key = `${executionId} ${frame.kind}`;
    const whole = joined(this.#rests.get(key)?.frame, frame);
    const cut = cutLetter(whole.data);
    const data = whole.data.subarray(0, whole.data.length - cut);
    if (data.length > 0) this.#print(source, { ...whole, data });
    const offset = frame.offset + frame.data.length - cut;
    const rest = { ...frame, offset, data: Buffer.from(whole.data.subarray(data.length)) };
    if (cut > 0) this.#rests.set(key, { source, frame: rest });
    else this.#rests.delete(key);
  }

  notice(_source: LogSource | undefined, text: string): void {
    this.#screens.say(text);
  }

  end(): void {
    for (const key of this.#rests.keys()) this.#endPiece(key);
  }

  #endPiece(key: string): void {
    const rest = this.#rests.get(key);
    this.#rests.delete(key);
    if (rest !== undefined) this.#print(rest.source, rest.frame);
  }

  #print({ executionId, nodeId }: LogSource, frame: LogFrame): void {
    const { kind, timeMs, offset } = frame;
    const bytes = asBuffer(frame.data);
    const text = isUtf8(bytes) ? { text: bytes.toString('utf8') } : undefined;
    const json = JSON.stringify({
      time: new Date(timeMs).toISOString(),
      execution: executionId,
      node: nodeId,
      stream: kind === 'cut' ? 'gap' : kind,
      offset,
      ...(text ?? { data: bytes.toString('base64') }),
    });
    this.#screens.add('stdout', `${json.replace(CONTROLS, escaped)}\n`, this);
  }
}

function joined(rest: LogFrame | undefined, frame: LogFrame): LogFrame {
  if (rest === undefined) return frame;
  return { ...rest, data: Buffer.concat([rest.data, frame.data]) };
}

/** How many bytes at the end begin a letter that is not whole. */
function cutLetter(data: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, data.length); back++) {
    const byte = data[data.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < letterBytes(byte) ? back : 0;
  }
  return 0;
}

function letterBytes(first: number): number {
  if (first >= 0xf0) return 4;
  return first >= 0xe0 ? 3 : 2;
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
