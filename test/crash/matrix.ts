/** Goes through the cases of one executor, in two lanes; the test files share the executors out. */
import type { Test } from 'tap';
import { CRASH_POINTS, type CrashPoint } from '../../core/crash-points.ts';
import { allCases, casesBySeed, crashSeed, type CrashCase } from './cases.ts';
import { crashAt } from './crash.ts';
import { Lane, type LaneOptions } from './lane.ts';

const LANES = 2;

/** LIMPET_CRASH=all takes every case; else the seed takes one for each point. */
export async function crashEverywhere(t: Test, options: LaneOptions): Promise<void> {
  const seed = crashSeed();
  const all = process.env['LIMPET_CRASH'] === 'all';
  const how = all ? 'all cases' : `LIMPET_SEED=${seed}`;
  t.comment(`crash matrix of ${options.executor}: ${how}`);
  const cases = all ? allCases() : casesBySeed(seed, options.executor);
  const queue = [...cases];
  const reached = new Set<CrashPoint>();
  const run = async (): Promise<void> => {
    const lane = await Lane.open(t, options);
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const verdict = await verdictOf(lane, one, (point) => reached.add(point));
      t.equal(verdict, '', `${nameOf(one)} (${how})`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, run));
  for (const point of CRASH_POINTS)
    if (!reached.has(point)) t.fail(`${point} was reached by no case`);
}

/** One failure is not to hide the other cases. */
async function verdictOf(
  lane: Lane,
  one: CrashCase,
  reached: (point: CrashPoint) => void,
): Promise<string> {
  try {
    return await crashAt(lane, one, reached);
  } catch (thrown) {
    await lane.reset();
    return String(thrown);
  }
}

function nameOf({ point, passage, victim, code }: CrashCase): string {
  return `${point}:${passage}, killed: ${victim}, exit ${code}`;
}
