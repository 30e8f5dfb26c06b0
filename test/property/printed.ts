/** All that a run has printed, which its source can give again from any place. */
import type { LogChunk } from '../../plugins/sdk/types.ts';

type Stream = LogChunk['stream'];

/** No two parts of it are alike soon. */
const TEXT = Buffer.from(
  Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8) * 7 + (i >> 15)) & 255),
);

interface Piece {
  readonly stream: Stream;
  readonly from: number;
  readonly to: number;
}

export class Printed {
  readonly #pieces: Piece[] = [];

  get end(): number {
    return this.#pieces.at(-1)?.to ?? 0;
  }

  print(stream: Stream, bytes: number): void {
    const from = this.end;
    if (from + bytes <= TEXT.length) this.#pieces.push({ stream, from, to: from + bytes });
  }

  /** What follows; words for people are never parted. */
  next(from: number, mostBytes: number): Omit<LogChunk, 'timeMs'> | undefined {
    const piece = this.#pieces.find(({ to }) => to > from);
    if (piece === undefined) return undefined;
    const { stream } = piece;
    const to = stream === 'gap' ? piece.to : Math.min(piece.to, from + mostBytes);
    return { stream, data: TEXT.subarray(from, to), cursor: String(to) };
  }

  /** '' when these bytes were printed there, on this stream. */
  differs(stream: string, from: number, data: Uint8Array): string {
    const to = from + data.length;
    const within = this.#pieces.filter((piece) => piece.to > from && piece.from < to);
    if (within.some((piece) => piece.stream !== stream)) return `${from} to ${to} is of another`;
    return TEXT.subarray(from, to).equals(data) ? '' : `${from} to ${to} are other bytes`;
  }
}
