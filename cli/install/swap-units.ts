/** Unit files follow the version that runs; one that somebody has changed stays. */
import { writeFile } from './durable-file.ts';
import type { Host } from './host.ts';
import { LAYOUT } from './layout.ts';
import { readRecord } from './record.ts';
import { unitFiles } from './units.ts';

/** Answers what the operator has to know. */
export function swapUnits(
  host: Host,
  { old, now }: { readonly old: string; readonly now: string },
): readonly string[] {
  const record = readRecord(host);
  if (record === undefined) return [];
  const filesOf = (version: string) => {
    const release = host.at(`${LAYOUT.versions}/${version}`);
    return record.services.flatMap((service) => unitFiles(release, service, record));
  };
  const before = new Map(filesOf(old).map(({ path, content }) => [path, content]));
  const notes: string[] = [];
  for (const file of filesOf(now)) {
    const there = host.read(file.path);
    if (there === file.content) continue;
    if (there === before.get(file.path))
      writeFile(host.at(file.path), file.content, host.access(file));
    else notes.push(`${file.path} was changed by hand and stays; use a drop-in for that`);
  }
  // A write of before may have been followed by a death.
  host.systemctl?.reload();
  return notes;
}
