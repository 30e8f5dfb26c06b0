/** An agent process that is killed, at a crash point or from outside, and the next one on the same folder. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { CrashPoint } from '../../core/crash-points.ts';
import { eventually } from '../kit/eventually.ts';
import { startProgram, type Program } from '../kit/program.ts';
import { makeBench, pluginsOf } from './plugin-host-kit.ts';

// Many processes are started here, on machines that may be busy.
t.setTimeout(120_000);
const LOADED_MS = 30_000;

t.test('an agent that is killed finds its plugin again from its store on disk', async (t) => {
  const { bench, agent } = await makeAgent(t);
  const first = await agent();
  const [, pid] = await first.waitFor(/ready (\d+) false/, LOADED_MS);
  await first.kill('SIGKILL');
  t.same(pluginsOf(bench.runDir), [Number(pid)]);
  const second = await agent();
  const [, again] = await second.waitFor(/ready (\d+) true/, LOADED_MS);
  t.equal(again, pid);
});

for (const [point, reattached] of [
  ['agent.plugin.intent-written', false],
  ['agent.plugin.spawned', true],
  ['agent.plugin.reattach-written', true],
] as const satisfies readonly (readonly [CrashPoint, boolean])[])
  t.test(
    `an agent that dies at ${point} leaves no process that the next one does not find`,
    async (t) => {
      const { bench, agent } = await makeAgent(t);
      const first = await agent({ LIMPET_CRASH_AT: point });
      t.match(await first.waitForExit(LOADED_MS), { signal: 'SIGKILL' });
      // One that was spawned at that moment carries its environment an instant later.
      const left = await eventually('what is left', () => {
        const pids = pluginsOf(bench.runDir);
        return pids.length === (reattached ? 1 : 0) && pids;
      });
      const second = await agent();
      const [, pid] = await second.waitFor(new RegExp(`ready (\\d+) ${reattached}`), LOADED_MS);
      if (reattached) t.same([Number(pid)], left);
      t.same(pluginsOf(bench.runDir), [Number(pid)]);
      t.equal(readdirSync(bench.runDir).length, 1);
    },
  );

async function makeAgent(t: Test) {
  const bench = await makeBench(t);
  const file = fileURLToPath(new URL('./plugin-host-program.ts', import.meta.url));
  const args = ['--import=tsx', file, bench.folder, ...bench.spec().command];
  const agent = (env: NodeJS.ProcessEnv = {}): Promise<Program> =>
    startProgram(t, process.execPath, { args, env });
  return { bench, agent };
}
