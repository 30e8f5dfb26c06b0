/** What a log has to hold, and how a difference is told. */
import { demand } from './expect.ts';
import type { ReadLog } from './steps.ts';

/** Frames follow each other without a hole or an overlap; a hole is fine below what is told to be gone. */
export function demandContiguous({ frames, truncatedBefore }: ReadLog, from: number): void {
  let next = from;
  for (const { offset, data } of frames) {
    const at = Number(offset);
    const isTold = at > next && at <= truncatedBefore;
    demand(at === next || isTold, `a frame with offset ${next}`, `one with ${at}`);
    next = at + data.length;
  }
}

/** Tells the first place that differs; `from` is the offset of the first byte. */
export function demandBytes(found: Buffer, wanted: Buffer, from = 0): void {
  if (found.equals(wanted)) return;
  const both = Math.min(found.length, wanted.length);
  let at = 0;
  while (at < both && found[at] === wanted[at]) at++;
  const show = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1', at, at + 40));
  demand(
    false,
    `${wanted.length} bytes from offset ${from}, with ${show(wanted)} at ${from + at}`,
    `${found.length} bytes, with ${show(found)} there`,
  );
}
