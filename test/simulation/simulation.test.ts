/**
 * Thousands of interleavings in memory: the real agent and the real requester over a simulated host, its plugins, a broker
 * and a clock, with crashes at every crash point. Deterministic: `LIMPET_SEED=<seed>` plays a failing batch again.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { CrashPoint } from '../../core/crash-points.ts';
import { SIMULATED_POINTS } from './points.ts';
import { startProgram } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { Coverage } from './crashes.ts';
import { laneReportSchema, type LaneReport } from './lane-report.ts';
import { live } from './live.ts';
import { script, type Script } from './script.ts';

/** Processes that play scripts at the same time; each plays so many batches of 50. */
const LANES = 2;
const BATCHES = 25;
const LANE_MS = 600_000;
const DAY_S = 86_400;

t.setTimeout(900_000);

const coverage = new Coverage();
const seed = Number(process.env['LIMPET_SEED'] ?? Math.floor(Date.now() / 1000) % DAY_S);

/** A day in the life of one point: plugins start anew, work runs to its end and is stopped, and the point is passed. */
function tour(point: CrashPoint): Script {
  const short: Script['first']['runs'] = [{ afterMs: 400, code: 0, termMs: 5 }];
  const long: Script['first']['runs'] = [{ afterMs: 20_000, code: 0, termMs: 5 }];
  const batch = { type: 'submit', kind: 'batch', count: 2, restarts: 0 } as const;
  const submit = { ...batch, timeoutS: undefined };
  const first: Script['first'] = { ...submit, executor: 'held', runs: short };
  const steps: Script['steps'] = [
    { step: { type: 'arm', point, passage: 1, awayMs: 300 }, thenMs: 0 },
    { step: { type: 'kill', who: 'held', site: 0, awayMs: 300 }, thenMs: 2_000 },
    { step: { ...submit, executor: 'boxed', runs: short }, thenMs: 2_000 },
    { step: { ...submit, executor: 'held', runs: long }, thenMs: 300 },
    { step: { type: 'stop-job', which: 2 }, thenMs: 2_000 },
  ];
  return { seed: 0, nodes: 1, first, steps };
}

t.test('a crash at each point of the list leaves every promise kept', async (t) => {
  for (const point of SIMULATED_POINTS) {
    await t.resolves(live(tour(point), coverage), point);
    t.ok((coverage.crashed.get(point) ?? 0) > 0, `${point} is reached`);
  }
});

t.test('whatever happens in whatever order, every promise is kept', async (t) => {
  const program = await bundleLane(t);
  const began = performance.now();
  const reports = await Promise.all(
    Array.from({ length: LANES }, (_, lane) => runLane(t, program, seed + lane)),
  );
  const seconds = Math.round((performance.now() - began) / 1000);
  const scripts = reports.reduce((sum, report) => sum + report.scripts, 0);
  t.comment(`${scripts} scripts from LIMPET_SEED=${seed} in ${seconds} s`);
  const failures = reports.flatMap(({ failure }) => failure ?? []);
  for (const failure of failures) {
    t.comment(`LIMPET_SEED=${failure.seed} plays this again`);
    t.fail(failure.report, { seed: failure.seed });
    t.comment(failure.wrong);
  }
  const crashed = new Set(reports.flatMap((report) => report.crashed));
  const missing = SIMULATED_POINTS.filter((point) => !crashed.has(point));
  if (failures.length === 0) t.same(missing, [], 'every crash point has ended a process');
});

t.test('the same seed gives the same history', async (t) => {
  for (const given of fc.sample(script, { seed, numRuns: 5 })) {
    const one = await live(given, coverage);
    const other = await live(given, coverage);
    t.same(one.ledger.runs, other.ledger.runs);
    t.equal(one.clock.now(), other.clock.now());
    t.same(
      one.sites.map(({ disk }) => disk.read('')),
      other.sites.map(({ disk }) => disk.read('')),
    );
    t.same(one.disk.read(''), other.disk.read(''));
  }
});

async function bundleLane(t: Test): Promise<string> {
  const outfile = join(tempDir(t), 'lane.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('lane.ts', import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    // Node's own modules, for the packages in it that are CommonJS.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return outfile;
}

/** Lanes take turns with the seeds, so that each failing batch is the first one of its own seed. */
async function runLane(t: Test, program: string, first: number): Promise<LaneReport> {
  const args = [program, String(first), String(BATCHES), String(LANES)];
  const lane = await startProgram(t, process.execPath, { args });
  const { code } = await lane.waitForExit(LANE_MS);
  t.equal(code, 0, `lane ${first} has come to its end: ${lane.stderr}`);
  return laneReportSchema.parse(JSON.parse(lane.stdout.trim().split('\n').at(-1) ?? ''));
}
