/** `npm run check`: everything that can be said without running the tests; one line per step, output of what fails. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 300_000;
const LINES = 400;
const AT_ONCE = 2;

/** Longest first: two run at once. */
const STEPS = [
  ['eslint', () => tool('eslint', '--max-warnings=0', '.')],
  ['depcruise', () => tool('depcruise', '--output-type=err', ...FOLDERS)],
  ['tsc', () => tool('tsc', '--noEmit', '-p', '.')],
  ['prettier', () => tool('prettier', '--check', '--log-level=warn', '.')],
  ['knip', () => tool('knip', '--no-progress', '--no-config-hints')],
  ['proto', generatedCodeMatches],
  [
    'stubs',
    () =>
      run('node', ['scripts/example-stubs.mjs', '--check'], { cwd: root, timeoutMs: TIMEOUT_MS }),
  ],
  ['config', () => tool('tsx', 'scripts/config-docs.mjs', '--check')],
  ['cli', () => tool('tsx', 'scripts/cli-docs.mjs', '--check')],
  ['conformance', () => tool('tsx', 'scripts/conformance-docs.mjs', '--check')],
  ['sandbox', () => tool('tsx', 'scripts/sandbox-docs.mjs', '--check')],
  ['metrics', () => tool('tsx', 'scripts/metrics-docs.mjs', '--check')],
];

const FOLDERS = [
  ...['core', 'wire', 'adapters', 'plugins', 'executors', 'agent', 'requester', 'cli'],
  ...['test', 'bench', 'scripts', 'fixtures'],
];

const queue = [...STEPS];
const workers = Array.from({ length: AT_ONCE }, async () => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await check(...next);
});
await Promise.all(workers);

async function check(name, action) {
  const began = performance.now();
  const failure = await action().then(
    () => undefined,
    (error) => error,
  );
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`check: ${name.padEnd(11)} ${seconds.padStart(5)} s  ${failure ? 'FAIL' : 'ok'}`);
  if (failure === undefined) return;
  console.log(failure.message);
  process.exitCode = 1;
}

function tool(name, ...args) {
  const path = join(root, 'node_modules/.bin', name);
  return run(path, args, { cwd: root, timeoutMs: TIMEOUT_MS, lines: LINES });
}

/** Generates the code of plugins/proto again, elsewhere, and compares. */
async function generatedCodeMatches() {
  const folder = mkdtempSync(join(tmpdir(), 'lt-proto-'));
  try {
    cpSync(join(root, 'plugins/proto'), join(folder, 'plugins/proto'), {
      recursive: true,
      filter: (path) => !path.startsWith(join(root, 'plugins/proto/gen')),
    });
    const template = 'plugins/proto/buf.gen.yaml';
    await run(
      join(root, 'node_modules/.bin/buf'),
      ['generate', 'plugins/proto', '--template', template],
      {
        cwd: folder,
        env: { PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` },
        timeoutMs: TIMEOUT_MS,
      },
    );
    const differing = differences(
      join(folder, 'plugins/proto/gen'),
      join(root, 'plugins/proto/gen'),
    );
    if (differing.length > 0) {
      throw new Error(`not what buf generates: ${differing.join(', ')}; run: npm run proto`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function differences(fresh, committed) {
  const [now, then] = [fresh, committed].map(contents);
  return [...new Set([...now.keys(), ...then.keys()])].filter(
    (name) => now.get(name) !== then.get(name),
  );
}

function contents(folder) {
  const files = readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile());
  return new Map(files.map((file) => [file.slice(folder.length + 1), readFileSync(file, 'utf8')]));
}
