/** The log on its way: whatever pieces it comes in, the frames are the same. */
import t from 'tap';
import { encodeLogFrames, LogFrameDecoder, type LogFrame } from '../../wire/log-frames.ts';

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);

const FRAMES: readonly LogFrame[] = [
  frame('stdout', { offset: 0, data: Buffer.from('one\n') }),
  frame('stderr', { offset: 4, data: ALL_BYTES }),
  frame('gap', { offset: 260, data: Buffer.from('40 bytes are missing') }),
  frame('cut', { offset: 2 ** 52, data: Buffer.from('cut') }),
  frame('source', { source: 65_535, data: Buffer.from('{}') }),
  frame('notice', { source: 1, data: Buffer.from('{"text":"…"}') }),
  frame('stdout', { timeMs: 1_700_000_000_123.5, data: Buffer.alloc(1024 * 1024, 7) }),
  frame('pulse', {}),
  frame('end', { data: Buffer.from('{"code":"finished","message":""}') }),
];

t.test('frames come out as they went in, in pieces of any size', async (t) => {
  const whole = encodeLogFrames(FRAMES);
  for (const size of [whole.length, 65_536, 1_000, 25, 23]) {
    const decoder = new LogFrameDecoder();
    const got: ReturnType<typeof kept>[] = [];
    for (let at = 0; at < whole.length; at += size) {
      // What is done with a piece afterwards must not reach the rest that the decoder keeps.
      const piece = Buffer.from(whole.subarray(at, at + size));
      got.push(...decoder.take(piece).map(kept));
      piece.fill(255);
    }
    t.equal(decoder.pending, 0);
    t.strictSame(got, FRAMES.map(kept), `pieces of ${size} bytes`);
  }
});

t.test('a frame comes with its last byte, and not before', async (t) => {
  const whole = encodeLogFrames([frame('stdout', { data: Buffer.from('abc') })]);
  const decoder = new LogFrameDecoder();
  for (const byte of whole.subarray(0, -1)) t.equal(decoder.take(Uint8Array.of(byte)).length, 0);
  t.equal(decoder.pending, whole.length - 1);
  t.equal(decoder.take(whole.subarray(-1)).length, 1);
});

t.test('a frame of a kind of later is left out, what follows is not', async (t) => {
  const bytes = encodeLogFrames(FRAMES.slice(0, 2));
  bytes[0] = 99;
  t.strictSame(new LogFrameDecoder().take(bytes).map(kept), FRAMES.slice(1, 2).map(kept));
});

t.test('what is no log is refused before it is kept in memory', async (t) => {
  const bytes = encodeLogFrames([frame('stdout', {})]);
  bytes.writeUInt32BE(1024 * 1024 + 1, 4);
  t.throws(() => new LogFrameDecoder().take(bytes), {
    code: 'invalid-argument',
    message: 'a log frame claims 1048577 bytes of data',
  });
});

function frame(kind: LogFrame['kind'], more: Partial<LogFrame>): LogFrame {
  return { kind, source: 0, timeMs: 0, offset: 0, data: new Uint8Array(), ...more };
}

/** Of any kind of bytes the same. */
function kept({ data, ...head }: LogFrame) {
  return { ...head, data: Buffer.from(data).toString('latin1') };
}
