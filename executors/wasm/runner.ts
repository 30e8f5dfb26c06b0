/**
 * The program that holds one run at a time: spawned by the plugin into its own session, survives plugin and agent. After a
 * clean end it may serve another run; see reuse.ts.
 *
 *   main thread      warms up, waits for an assignment, runs the guest in the foreground
 *   watchdog thread  control socket, claim, deadline, orders, memory look, end of the process
 *
 * Usage: runner.js '{"socket": "<path>", "idleMs": 60000, "maxRuns": 200}'
 */
import { Worker } from 'node:worker_threads';
import { Ending } from './ending.ts';
import { runGuest } from './guest.ts';
import { ModuleShelf } from './module/shelf.ts';
import { siblingProgram } from './programs.ts';
import { mayServeAgain } from './reuse.ts';
import { Verdict } from './verdict.ts';
import { warmUp } from './warm-up.ts';
import type { Begin, RunnerSettings, ToWatchdog } from './watch.ts';

function startWatchdog(settings: RunnerSettings): Worker {
  const { file, loader } = siblingProgram('watchdog');
  const options = { workerData: settings };
  if (loader === undefined) return new Worker(file, options);
  // From source: a worker does not inherit the loader, so it registers one itself.
  const code = `import(${JSON.stringify(loader.api)}).then((m) => { m.register(); return import(${JSON.stringify(file.href)}); })`;
  return new Worker(code, { ...options, eval: true });
}

const settings = JSON.parse(process.argv[2] ?? '') as RunnerSettings;
const watchdog = startWatchdog(settings);
const modules = new ModuleShelf();
let runs = 0;
let firstAt = 0;

function tell(message: ToWatchdog): void {
  watchdog.postMessage(message);
}

async function serve({ assignment, shared }: Begin): Promise<void> {
  firstAt ||= performance.now();
  const ending = new Ending(assignment.folder, new Verdict(shared), () => tell('lost'));
  const guestBytes = await runGuest(assignment, ending, modules);
  runs += 1;
  const served = {
    runs,
    maxRuns: settings.maxRuns,
    sinceFirstMs: performance.now() - firstAt,
    guestBytes,
    residentBytes: process.memoryUsage.rss(),
  };
  const { record } = ending;
  tell(mayServeAgain(served) ? { type: 'free', record } : 'lost');
}

watchdog.on('error', () => process.exit(1));
watchdog.on('exit', () => process.exit(1));
await warmUp();
watchdog.on('message', (begin: Begin) => void serve(begin));
tell('ready');
