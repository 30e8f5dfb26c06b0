/**
 * The program that holds one run: spawned by the plugin into its own session, survives plugin and agent.
 *
 *   main thread      warms up, waits for its one assignment, runs the guest in the foreground
 *   watchdog thread  control socket, claim, deadline, orders, memory look, end of the process
 *
 * Usage: runner.js '{"socket": "<path>", "idleMs": 60000}'
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Outcome } from '../../plugins/sdk/index.ts';
import { runGuest } from './guest.ts';
import type { Assignment } from './protocol.ts';
import { writeExit } from './record.ts';
import { siblingProgram } from './programs.ts';
import { Verdict } from './verdict.ts';
import { warmUp } from './warm-up.ts';

function startWatchdog(verdict: Verdict): Worker {
  const { file, loader } = siblingProgram('watchdog');
  const options = { workerData: { settings: process.argv[2], shared: verdict.shared } };
  if (loader === undefined) return new Worker(file, options);
  // From source: a worker does not inherit the loader, so it registers one itself.
  const code = `import(${JSON.stringify(loader.api)}).then((m) => { m.register(); return import(${JSON.stringify(file.href)}); })`;
  return new Worker(code, { ...options, eval: true });
}

/** A full disk must not lose the outcome: tried until it is written. A run folder that is gone has no use for it. */
function recordEnd(folder: string, outcome: Outcome): void {
  const endedAt = Date.now();
  while (existsSync(folder)) {
    try {
      writeExit(folder, outcome, endedAt);
      return;
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RECORD_RETRY_MS);
    }
  }
}

const RECORD_RETRY_MS = 1_000;

const verdict = new Verdict();
const watchdog = startWatchdog(verdict);
watchdog.on('error', () => process.exit(1));
watchdog.on('exit', () => process.exit(1));
await warmUp();
watchdog.postMessage('ready');

const [assignment] = (await once(watchdog, 'message')) as [Assignment];
await runGuest(assignment, verdict, (outcome) => {
  if (verdict.take()) {
    recordEnd(assignment.folder, outcome);
    watchdog.postMessage('ended');
  }
  return verdict.park();
});
