/**
 * `npm test [-- PATH ...]`: setup, then everything below test/. The last line on stdout is `N passed, N failed, N skipped`,
 * whatever goes wrong on the way. Tests share one Docker engine: the machine's, else a private one, ended here. What a
 * test chooses at random it chooses by the seed that is printed first; LIMPET_SEED=N chooses the same again.
 *
 * `npm run test:crash [-- PATH ...]` (`--crash`): test/crash alone, with every case instead of one for each point.
 */
import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { engineAnswers, privateEngineMissing, startPrivateEngine } from './engine.mjs';
import { setup } from './setup.mjs';
import { spareProcessor } from './spare-processor.mjs';
import { TapSummary } from './tap-summary.mjs';
import { compiledTest, compileTests, testCodeFolder } from './test-code.mjs';
import { TestOrder } from './test-order.mjs';
import { runTestFile } from './test-process.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/**
 * Most files start a dozen processes: more at once make them wait for each other, and end no sooner. A further one runs
 * while the processors have time left.
 */
const JOBS = 3;
/** For a file that hangs; on a slow machine the longest take minutes, and all crashes an hour. */
const LIMIT_S = 900;
const CRASH_LIMIT_S = 5400;

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
    if (!stopping.signal.aborted) await runTests(files, engine?.host);
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

async function runTests(files, engineHost) {
  const folder = testCodeFolder(root);
  const order = new TestOrder(root, files);
  const env = {
    ...process.env,
    LIMPET_SEED: seed,
    ...(everyCrash ? { LIMPET_CRASH: 'all' } : {}),
    ...(engineHost === undefined ? {} : { LIMPET_TEST_DOCKER: engineHost }),
  };
  const run = async (file) => {
    const program = compiledTest(folder, file);
    const { signal } = stopping;
    const { lines, seconds } = await runTestFile({
      ...{ file, program, signal, env },
      cwd: root,
      limitS: everyCrash ? CRASH_LIMIT_S : LIMIT_S,
    });
    for (const line of lines) summary.line(line);
    order.took(file, seconds);
  };
  const lane = async (next) => {
    for (let file = await next(); file && !stopping.signal.aborted; file = await next())
      await run(file);
  };
  const longest = () => order.longest();
  const shortest = () => order.shortest();
  const over = new AbortController();
  const noMore = AbortSignal.any([stopping.signal, over.signal]);
  const longestWhenSpare = () => spareProcessor(noMore).then(longest);
  try {
    await compileTests(root, files, folder);
    const spare = lane(longestWhenSpare);
    await Promise.all([shortest, ...Array(JOBS - 1).fill(longest)].map(lane));
    over.abort();
    await spare;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  summary.end();
  if (!stopping.signal.aborted) order.keep();
}
