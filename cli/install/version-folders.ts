/** Version folders that nobody needs any more. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Host } from './host.ts';
import { LAYOUT } from './layout.ts';
import { processesOf } from './processes-of.ts';

/**
 * Removes what is neither current nor previous and what no process runs: plugins go on from the version that has started
 * them. Answers the names of what went.
 */
export function removeOldVersions(host: Host): readonly string[] {
  const folder = host.at(LAYOUT.versions);
  if (!existsSync(folder) || host.readLink(LAYOUT.current) === undefined) return [];
  const kept = [LAYOUT.current, LAYOUT.previous].map((link) => basename(host.readLink(link) ?? ''));
  const old = readdirSync(folder).filter(
    (name) => !kept.includes(name) && processesOf(join(folder, name)).length === 0,
  );
  for (const name of old) rmSync(join(folder, name), { recursive: true, force: true });
  return old;
}
