/**
 * The client half of the NATS text protocol as a pure parser: bytes in, frames out, whatever the fragmentation.
 *
 *   line = OP [args] CRLF        PUB and HPUB lines are followed by <size> bytes and CRLF
 *
 * Bounds: a control line of at most 4 KiB, a payload of at most `maxPayloadBytes`; nothing else is kept.
 * Source: docs.nats.io/reference/reference-protocols/nats-protocol, held to nats-server by the differential test.
 */
import { parseLine, type Control, type Frame } from './control-line.ts';
import { ProtocolError } from './protocol-error.ts';

export const MAX_CONTROL_LINE_BYTES = 4096;

const CR = 13;
const LF = 10;

export class FrameParser {
  readonly #maxPayloadBytes: number;
  #pieces: Buffer[] = [];
  #size = 0;
  /** Bytes that must be there before it is worth looking again. */
  #need = 1;
  #awaiting: (Control & { readonly payloadBytes: number }) | undefined;

  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Yields the frames that `chunk` completes; throws ProtocolError at the first bad byte, and is of no use after. */
  *feed(chunk: Buffer): Generator<Frame> {
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#need) return;
    let rest = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces);
    this.#keep(rest);
    for (;;) {
      const step = this.#awaiting === undefined ? this.#line(rest) : this.#payload(rest);
      if (step === undefined) return;
      rest = rest.subarray(step.used);
      this.#keep(rest);
      if (step.frame !== undefined) yield step.frame;
    }
  }

  #keep(rest: Buffer): void {
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    this.#need = this.#awaiting === undefined ? 1 : this.#awaiting.payloadBytes + 2;
  }

  #line(bytes: Buffer): { used: number; frame?: Frame } | undefined {
    const end = bytes.indexOf(LF);
    if (end > MAX_CONTROL_LINE_BYTES || (end < 0 && bytes.length > MAX_CONTROL_LINE_BYTES)) {
      throw new ProtocolError('maximum control line exceeded');
    }
    if (end < 0) return undefined;
    const stop = bytes[end - 1] === CR ? end - 1 : end;
    const control = parseLine(bytes.toString('utf8', 0, stop));
    if (control.op !== 'PUB') return { used: end + 1, frame: control };
    if (control.payloadBytes > this.#maxPayloadBytes)
      throw new ProtocolError('Maximum Payload Violation');
    this.#awaiting = control;
    return { used: end + 1 };
  }

  #payload(bytes: Buffer): { used: number; frame: Frame } | undefined {
    const control = this.#awaiting;
    if (control?.op !== 'PUB' || bytes.length < control.payloadBytes + 2) return undefined;
    const size = control.payloadBytes;
    if (bytes[size] !== CR || bytes[size + 1] !== LF)
      throw new ProtocolError('Unknown Protocol Operation');
    this.#awaiting = undefined;
    return { used: size + 2, frame: { ...control, payload: bytes.subarray(0, size) } };
  }
}
