/**
 * `node lane.mjs <seed> <batches> <step>`: one of the processes that play random scripts. A process of its own, bundled and
 * without what the test runner hooks into every promise, plays many times as many. Each batch has a seed of its own, `step`
 * after the one before; the last line on stdout is what came of it.
 */
import fc from 'fast-check';
import { Coverage } from './crashes.ts';
import { live } from './live.ts';
import { script } from './script.ts';
import type { LaneReport } from './lane-report.ts';

/** What one seed makes. */
const SCRIPTS = 50;
const SHRINK_MS = 30_000;
const REPORT_CHARACTERS = 6_000;

const [first = 0, batches = 0, step = 1] = process.argv.slice(2).map(Number);
const coverage = new Coverage();

console.log(JSON.stringify(await playAll()));

async function playAll(): Promise<LaneReport> {
  let scripts = 0;
  for (let seed = first; seed < first + batches * step; seed += step) {
    const result = await fc.check(fc.asyncProperty(script, playOne), {
      seed,
      numRuns: SCRIPTS,
      interruptAfterTimeLimit: SHRINK_MS,
      markInterruptAsFailure: false,
    });
    scripts += result.numRuns;
    if (!result.failed) continue;
    const wrong = result.errorInstance instanceof Error ? result.errorInstance.message : '';
    const report = (fc.defaultReportMessage(result) ?? '').slice(0, REPORT_CHARACTERS);
    return { scripts, crashed: crashed(), failure: { seed, report, wrong } };
  }
  return { scripts, crashed: crashed() };
}

async function playOne(given: Parameters<typeof live>[0]): Promise<void> {
  await live(given, coverage);
  // A world never lets the loop turn, and the time limit above is a timer of the host.
  await new Promise((resolve) => setImmediate(resolve));
}

function crashed(): LaneReport['crashed'] {
  return [...coverage.crashed].filter(([, count]) => count > 0).map(([point]) => point);
}
