/** A log as the frames of wire/log-frames.ts, sources numbered from 1; the last is the end. */
import type { Clock } from '../../adapters/clock/port.ts';
import {
  encodeLogFrames,
  type LogFrame,
  type LogFrameKind,
  type LogNotice,
} from '../../wire/log-frames.ts';
import type { LogOutput } from '../logs/log-items.ts';
import { withPulse } from '../logs/pulse.ts';

const PULSE_MS = 5_000;

export async function* logFrames(
  outputs: AsyncGenerator<readonly LogOutput[]>,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const word = (kind: LogFrameKind, source = 0, said?: unknown): LogFrame => {
    const data = said === undefined ? NOTHING : Buffer.from(JSON.stringify(said));
    return { kind, source, timeMs: clock.now(), offset: 0, data };
  };
  const frameOf = (output: LogOutput): LogFrame => {
    switch (output.type) {
      case 'frame':
        return { ...output.frame, source: output.index };
      case 'source':
        return word('source', output.index, output.source);
      case 'notice':
        return word('notice', output.index, { text: output.text } satisfies LogNotice);
      case 'end':
        return word('end', 0, output.data);
    }
  };
  // The head of the answer goes out with the first byte.
  yield encodeLogFrames([word('pulse')]);
  for await (const some of withPulse(outputs, clock, PULSE_MS))
    yield encodeLogFrames(some === undefined ? [word('pulse')] : some.map(frameOf));
}

const NOTHING = new Uint8Array();
