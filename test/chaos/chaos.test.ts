/** A short `npm run chaos`, bounded by executions and not by time. Its seed is in the output: `npm run chaos -- --seed N`. */
import t from 'tap';
import { runChaos } from './run.ts';

const JOBS = 210;

t.test('under load, whatever is killed: nothing lost, doubled or out of order', async (t) => {
  t.setTimeout(600_000);
  const seed = Number(process.env['LIMPET_CHAOS_SEED'] ?? Math.floor(Math.random() * 1_000_000));
  const { jobs, findings, line } = await runChaos(t, {
    seed,
    agents: 2,
    docker: false,
    underWay: 32,
    shares: { wasm: 1, ledger: 8, process: 0.5, docker: 0 },
    enough: (accepted) => accepted >= JOBS,
    healMs: 60_000,
    print: (text) => t.comment(text),
  });
  t.strictSame(findings, [], `seed ${seed}`);
  t.equal(line, 'lost 0, doubled 0, out of order 0');
  t.ok(jobs >= 200, `${jobs} executions`);
});
