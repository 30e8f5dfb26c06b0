/** The log of an execution as an agent's stream sends it: a text that begins with `gap ` is a gap. */
import { encodeLogFrames } from '../../../wire/log-frames.ts';

export async function* logItems(
  texts: AsyncIterable<string>,
  from: number,
): AsyncIterable<Uint8Array> {
  let offset = from;
  for await (const text of texts) {
    const data = Buffer.from(text);
    const kind = text.startsWith('gap ') ? 'gap' : 'stdout';
    yield encodeLogFrames([{ kind, source: 0, timeMs: Date.now(), offset, data }]);
    offset += data.length;
  }
}
