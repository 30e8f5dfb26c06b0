/** Whether a store could be opened again now: LevelDB writes its log into a table first. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const SLACK_BYTES = 64 * 1024;

/** Rejects with the file system's own error (a full or read-only disk). */
export async function checkRoom(folder: string): Promise<void> {
  const probe = join(folder, 'room.tmp');
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
  const bytes = logs.reduce((sum, name) => sum + statSync(join(folder, name)).size, SLACK_BYTES);
  try {
    const file = await open(probe, 'w', 0o600);
    try {
      await file.writeFile(Buffer.alloc(bytes, 0x20));
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    rmSync(probe, { force: true });
  }
}
