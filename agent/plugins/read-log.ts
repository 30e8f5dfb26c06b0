/** Parts of a plugin's log for people. The log begins anew at a bound (see plugin-log.ts); what was before is in `<file>.1`. */
import { open } from 'node:fs/promises';
import { sizeOf } from './plugin-log.ts';

const MAX_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

export interface LogPart {
  readonly text: string;
  /** Where to go on. */
  readonly next: number;
}

/** The newest lines, at most 1 MiB of them; the last may be unfinished. */
export async function logTail(file: string, lines: number): Promise<LogPart> {
  const next = await sizeOf(file);
  const tail = (await read(file, Math.max(0, next - MAX_BYTES), next)).toString('utf8');
  const newest = lastLines(tail, lines);
  if (newest.count >= lines || next > MAX_BYTES) return { text: newest.text, next };
  const older = `${file}.1`;
  const end = await sizeOf(older);
  const before = (await read(older, Math.max(0, end - MAX_BYTES), end)).toString('utf8');
  return { text: lastLines(before, lines - newest.count).text + newest.text, next };
}

/** What has come since an offset: whole lines, unless one is longer than 1 MiB. */
export async function logFrom(file: string, from: number): Promise<LogPart> {
  const size = await sizeOf(file);
  if (size < from) return begunAnew(file, from);
  const bytes = await read(file, from, Math.min(size, from + MAX_BYTES));
  const whole = bytes.lastIndexOf(NEWLINE) + 1;
  const length = whole === 0 && bytes.length === MAX_BYTES ? bytes.length : whole;
  return { text: bytes.toString('utf8', 0, length), next: from + length };
}

async function begunAnew(file: string, from: number): Promise<LogPart> {
  const older = `${file}.1`;
  const end = Math.min(await sizeOf(older), from + MAX_BYTES);
  return { text: (await read(older, from, end)).toString('utf8'), next: 0 };
}

function lastLines(text: string, count: number): { readonly text: string; readonly count: number } {
  const parts = text.split(/(?<=\n)/).filter((part) => part !== '');
  const kept = count === 0 ? [] : parts.slice(-count);
  return { text: kept.join(''), count: kept.length };
}

/** Empty when there is no such file. */
async function read(file: string, from: number, to: number): Promise<Buffer> {
  if (to <= from) return Buffer.alloc(0);
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
