/** Newline-delimited JSON out of chunks that end anywhere. */
import { LimpetError } from '../../core/errors.ts';

/** A log item carries 64 KiB at most, in base64. */
const LONGEST_LINE = 1024 * 1024;

export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<unknown> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10, start)) {
      if (end > start) yield JSON.parse(rest.toString('utf8', start, end));
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > LONGEST_LINE)
      throw new LimpetError('too-large', `a log item is longer than ${LONGEST_LINE} bytes`);
  }
}
