/** The engine's multiplexed log stream to frames: 8 bytes of header (stream, 3 zero, length), then the payload. */
import { LimpetError } from '../../plugins/sdk/index.ts';

export interface Frame {
  readonly stream: 'stdout' | 'stderr';
  /** ns since the epoch; the 16 KiB parts of one long line share one. */
  readonly at: bigint;
  readonly data: Buffer;
}

/** `2026-11-22T02:38:08.123456789Z` to ns. */
export function parseTimestamp(text: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const seconds = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(seconds))
    throw new LimpetError('engine-failed', `the engine sent a log line without a time: '${text}'`);
  return BigInt(seconds) * 1_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0'));
}

/** The engine's own words within the stream: why it cannot go on. */
const ENGINE_ERROR = 3;

function frameOf(kind: number, payload: Buffer): Frame {
  if (kind === ENGINE_ERROR)
    throw new LimpetError('unavailable', `the engine broke off the log: ${payload.toString()}`);
  const space = payload.indexOf(0x20);
  return {
    stream: kind === 2 ? 'stderr' : 'stdout',
    at: parseTimestamp(payload.subarray(0, Math.max(space, 0)).toString('latin1')),
    data: payload.subarray(space + 1),
  };
}

/** Yields the frames of each chunk together. A stream that ends within a frame is an error: read again. */
export async function* demux(source: AsyncIterable<Buffer>): AsyncGenerator<readonly Frame[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Frame[] = [];
    let position = 0;
    while (buffer.length - position >= 8) {
      const end = position + 8 + buffer.readUInt32BE(position + 4);
      if (buffer.length < end) break;
      frames.push(frameOf(buffer.readUInt8(position), buffer.subarray(position + 8, end)));
      position = end;
    }
    rest = buffer.subarray(position);
    if (frames.length > 0) yield frames;
  }
  if (rest.length > 0) throw new LimpetError('unavailable', 'the log stream broke within a frame');
}
