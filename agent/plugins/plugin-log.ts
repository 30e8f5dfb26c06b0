/**
 * The files that a plugin writes while it lives: stderr (its log) and stdout (the handshake, then stray prints). The
 * plugin appends through its own descriptors, so a file is bounded by keeping a copy and cutting it in place; lines that
 * are written in between are lost.
 */
import { copyFile, open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/** Enough for any handshake line. */
const OUT_KEEP_BYTES = 4096;
const TAIL_BYTES = 2048;

export function logFile(stateDir: string, name: string): string {
  return join(stateDir, `${name}.log`);
}

/** Above the limit, the log moves to `<file>.1` and begins anew. */
export async function boundLog(file: string, limitBytes: number): Promise<void> {
  if ((await sizeOf(file)) <= limitBytes) return;
  await copyFile(file, `${file}.1`);
  await truncate(file, 0);
}

/** Above the limit, only the beginning of stdout is kept. */
export async function boundOutput(file: string, limitBytes: number): Promise<void> {
  if ((await sizeOf(file)) > limitBytes) await truncate(file, OUT_KEEP_BYTES);
}

export async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch(() => undefined);
  return found?.size ?? 0;
}

/** The last line that was written since `from`; '' when there is none. */
export async function lastLine(file: string, from: number): Promise<string> {
  const size = await sizeOf(file);
  if (size <= from) return '';
  const begin = Math.max(from, size - TAIL_BYTES);
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, begin);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines.findLast((line) => line.trim() !== '')?.trim() ?? '';
  } finally {
    await handle.close();
  }
}
