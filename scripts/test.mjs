/**
 * `npm test [-- PATH ...]`: setup, then tap over test/. The last line on stdout is `N passed, N failed, N skipped`,
 * whatever goes wrong on the way. Tests share one Docker engine: the machine's, else a private one, ended here. What a
 * test chooses at random it chooses by the seed that is printed first; LIMPET_SEED=N chooses the same again.
 *
 * `npm run test:crash [-- PATH ...]` (`--crash`): test/crash alone, with every case instead of one for each point.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { engineAnswers, privateEngineMissing, startPrivateEngine } from './engine.mjs';
import { setup } from './setup.mjs';
import { TapSummary } from './tap-summary.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const JOBS = 3;
/** For a file that hangs; on a slow machine the longest take minutes. */
const FILE_TIMEOUT_SECONDS = 900;

const [first, ...others] = process.argv.slice(2);
const everyCrash = first === '--crash';
const seed = process.env.LIMPET_SEED ?? String(randomInt(1_000_000));

const summary = new TapSummary((line) => console.log(line));
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => stopping.abort(`stopped by ${signal}`));
}

await main().catch((error) => summary.fail(error.message));
if (stopping.signal.aborted) summary.fail(stopping.signal.reason);
console.log(summary.counts);
process.exitCode = summary.failed === 0 ? 0 : 1;

async function main() {
  const files = testFiles(everyCrash ? others : process.argv.slice(2));
  if (files.length === 0) throw new Error('no test files there');
  console.log(`seed ${seed}: LIMPET_SEED=${seed} chooses the same again`);
  await setup();
  const engine = await sharedEngine();
  try {
    if (!stopping.signal.aborted) await runTap(files, engine?.host);
  } finally {
    await engine?.stop();
  }
}

function testFiles(paths) {
  const wanted = paths.length === 0 ? [defaultFolder()] : paths.map((path) => resolve(path));
  const missing = wanted.find((path) => !existsSync(path));
  if (missing !== undefined) throw new Error(`no such test: ${missing}`);
  const files = wanted.flatMap((path) => (statSync(path).isFile() ? [path] : testsBelow(path)));
  return [...new Set(files)].map((file) => relative(root, file)).sort();
}

function defaultFolder() {
  return join(root, everyCrash ? 'test/crash' : 'test');
}

function testsBelow(folder) {
  const names = readdirSync(folder, { recursive: true }).filter((name) =>
    name.endsWith('.test.ts'),
  );
  return names.map((name) => join(folder, name));
}

/** Undefined when the machine's own engine answers, or when there can be none: then tests skip with the reason. */
async function sharedEngine() {
  if ((await engineAnswers()) || privateEngineMissing() !== undefined) return undefined;
  try {
    return await startPrivateEngine();
  } catch (error) {
    console.log(`no private Docker engine: ${error.message}`);
    return undefined;
  }
}

async function runTap(files, engineHost) {
  const options = ['run', `--jobs=${JOBS}`, `--timeout=${FILE_TIMEOUT_SECONDS}`, '--reporter=tap'];
  const tap = join(root, 'node_modules/tap/dist/esm/run.mjs');
  const child = spawn(process.execPath, [tap, ...options, ...files], {
    cwd: root,
    env: {
      ...process.env,
      LIMPET_SEED: seed,
      ...(everyCrash ? { LIMPET_CRASH: 'all' } : {}),
      ...(engineHost === undefined ? {} : { LIMPET_TEST_DOCKER: engineHost }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
    signal: stopping.signal,
    killSignal: 'SIGTERM',
  });
  const ended = new Promise((done) => {
    child.on('error', (error) => done(error.message));
    child.on('close', (code, signal) =>
      done(code === 0 ? undefined : `tap ended with ${signal ?? code}`),
    );
  });
  for await (const line of createInterface({ input: child.stdout })) summary.line(line);
  const failure = await ended;
  summary.end();
  if (failure !== undefined && summary.failed === 0) summary.fail(failure);
}
