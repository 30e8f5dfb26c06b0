/**
 * The rules of Remove.
 *
 *   runs/remove-twice  an ended run, twice; and one that never was   OK each time; gone from Status and List
 *   runs/remove-live   a live run                                    it ends: gone, and nothing more is written
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { demand, demandEqual, demandStatus } from './expect.ts';
import { ended, launch, listed, readLog, remove, status } from './steps.ts';
import type { Plugin, Rule, Spec } from './types.ts';
import { ticking } from './work.ts';

/** Two ticks and more. */
const QUIET_MS = 700;

async function demandGone(plugin: Plugin, run: Spec): Promise<void> {
  await demandStatus('Status after Remove', 'NOT_FOUND', status(plugin, run));
  demand((await listed(plugin, run)) === undefined, 'no such run in List', 'it is there');
}

const twice: Rule = {
  id: 'runs/remove-twice',
  title: 'Remove again, and Remove of a run that never was, are OK',
  needs: ['short'],
  shares: true,
  async check({ plugin, spec }) {
    const { spec: run } = await launch(plugin, spec('short'));
    await ended(plugin, run);
    await remove(plugin, run);
    await remove(plugin, run);
    await demandGone(plugin, run);
    await remove(plugin, { key: { executionId: `e-${randomUUID()}`, run: 0 } });
    await remove(plugin, run, true);
  },
};

const live: Rule = {
  id: 'runs/remove-live',
  title: 'Remove of a live run ends it',
  needs: ['long'],
  async check(bench) {
    const { plugin } = bench;
    const run = await ticking(bench, 'long');
    await remove(plugin, run);
    await demandGone(plugin, run);
    const before = (await readLog(plugin, run)).bytes.length;
    await delay(QUIET_MS);
    demandEqual('bytes of its log later:', (await readLog(plugin, run)).bytes.length, before);
    const left = bench.processes().filter(({ command }) => command.includes('tick $i'));
    demand(left.length === 0, 'no process of the run', left.map((one) => one.command).join(', '));
  },
};

export const removeRules: readonly Rule[] = [twice, live];
