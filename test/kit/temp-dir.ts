import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Teardown } from './teardown.ts';

/**
 * A fresh folder with a short path (unix socket paths end at 107 bytes), removed at teardown.
 * Ask for it before starting what lives in it: teardown runs in reverse order.
 */
export function tempDir(t: Teardown, prefix = 'lt-'): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  });
  return folder;
}
