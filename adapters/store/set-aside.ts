/**
 * Copies of damaged stores, beside the store: `<store>.damaged-<UTC time>/`, with `report.json` in each. The newest few are
 * kept. As long as a copy is there its report is shown, so deleting the folder is how an operator says that it is read.
 */
import { copyFile, link, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../durable/write-durably.ts';

const MOST_KEPT = 3;
const REPORT = 'report.json';
/** Keys that a report names; the copy has them all. */
const MOST_NAMED = 100;

const reportSchema = z.object({
  v: z.literal(1),
  at: z.number(),
  /** What was wrong, and what was done about it, one line each. */
  found: z.string(),
  done: z.string(),
  /** Keys of records that could not be read afterwards. */
  unreadable: z.array(z.string()),
});

export type DamageReport = Omit<z.infer<typeof reportSchema>, 'v'> & {
  /** The copy of the store as it was found; '' when there was nothing to copy. */
  readonly copy: string;
};

/** A folder that did not exist before; older ones beyond the newest few are deleted. */
export async function newCopyFolder(store: string, now: number): Promise<string> {
  const stamp = new Date(now).toISOString().replaceAll(/[:.]/g, '-');
  const folder = `${store}.damaged-${stamp}`;
  await mkdir(folder, { mode: 0o700 });
  const all = await copiesOf(store);
  for (const old of all.slice(0, -MOST_KEPT)) await rm(old, { recursive: true, force: true });
  return folder;
}

/** Tables never change once they are written, so a second name for them is a copy. */
export async function copyFiles(store: string, folder: string): Promise<void> {
  for (const entry of await readdir(store, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'LOCK') continue;
    const from = join(store, entry.name);
    const to = join(folder, entry.name);
    const linked = /\.(ldb|sst)$/.test(entry.name) && (await link(from, to).then(yes, no));
    if (!linked) await copyFile(from, to);
  }
}

/** Nothing of it could be used: the whole folder becomes the copy. */
export async function moveAway(store: string, folder: string): Promise<void> {
  await rm(folder, { recursive: true });
  await rename(store, folder);
}

export async function saveReport(
  folder: string,
  report: Omit<DamageReport, 'copy'>,
): Promise<DamageReport> {
  const { at, found, done } = report;
  const unreadable = report.unreadable.slice(0, MOST_NAMED);
  const text = JSON.stringify({ v: 1, at, found, done, unreadable }, undefined, 2);
  await writeDurably(join(folder, REPORT), `${text}\n`);
  return { at, found, done, unreadable, copy: folder };
}

/** Reports of the copies that are still there, oldest first. */
export async function damageReports(store: string): Promise<DamageReport[]> {
  const reports: DamageReport[] = [];
  for (const copy of await copiesOf(store)) {
    const text = await readFile(join(copy, REPORT), 'utf8').catch(() => undefined);
    const { v: _v, ...report } = parse(text);
    reports.push({ ...report, copy });
  }
  return reports;
}

/** The program may have been killed before it could write one. */
function parse(text: string | undefined): z.infer<typeof reportSchema> {
  const unknown = {
    ...{ v: 1 as const, at: 0, unreadable: [] },
    ...{
      found: 'the store was damaged',
      done: 'the repair was interrupted, or its report is lost',
    },
  };
  if (text === undefined) return unknown;
  try {
    return reportSchema.parse(JSON.parse(text));
  } catch {
    return unknown;
  }
}

/** For people. */
export function damageLine({ at, found, done, copy, unreadable }: DamageReport): string {
  const when = at === 0 ? '' : ` on ${new Date(at).toISOString()}`;
  const named = unreadable.slice(0, 5).join(', ') + (unreadable.length > 5 ? ', ...' : '');
  const bad = unreadable.length === 0 ? '' : `; could not be read: ${named}`;
  return `the store was damaged${when}: ${found}; ${done}${bad}; delete ${copy} when you have seen this`;
}

async function copiesOf(store: string): Promise<string[]> {
  const folder = dirname(store);
  const names = await readdir(folder).catch((): string[] => []);
  const prefix = `${basename(store)}.damaged-`;
  return names
    .filter((name) => name.startsWith(prefix))
    .sort()
    .map((name) => join(folder, name));
}

const yes = (): boolean => true;
const no = (): boolean => false;
