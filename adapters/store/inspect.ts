/** What can be seen wrong with the files of a store before LevelDB touches them, and what its errors mean. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstDamage } from './log-file.ts';
import { codeOf, rootMessage } from './level-error.ts';

const RECORDS = /^\d+\.(ldb|sst|log)$/;

function files(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isFile() || entry.name === 'CURRENT' ? entry.name : []));
}

/** False: there is no database in the folder, and no trace of one. */
export function hasRecords(folder: string): boolean {
  return files(folder).some((name) => RECORDS.test(name) || name === 'CURRENT');
}

/** Damage that LevelDB would pass over in silence, or answer by starting anew. */
export function hiddenDamage(folder: string): string | undefined {
  const names = files(folder);
  if (!names.includes('CURRENT') && names.some((name) => RECORDS.test(name)))
    return 'it has files of records and no CURRENT file';
  for (const name of names.filter((file) => file.endsWith('.log'))) {
    const at = firstDamage(readFileSync(join(folder, name)));
    if (at !== undefined) return `${name} has a record with a wrong checksum at byte ${at}`;
  }
  return undefined;
}

/** LevelDB says that the files are damaged; a lock, missing rights, a full or failing disk are something else. */
export function isDamage(thrown: unknown): boolean {
  const code = codeOf(thrown);
  if (code === 'LEVEL_CORRUPTION') return true;
  return (
    code === 'LEVEL_IO_ERROR' &&
    /No such file or directory|Is a directory|Invalid argument|truncated/i.test(rootMessage(thrown))
  );
}

export function isNoSpace(thrown: unknown): boolean {
  return /no space left on device|ENOSPC|disk quota exceeded|EDQUOT/i.test(rootMessage(thrown));
}
