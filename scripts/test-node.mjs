/**
 * `npm run test:node -- VERSION [PATH ...]`: the tests under another Node, such as 22 or 24.9.0. The runtime is an npm package,
 * kept in node_modules/.cache; programs that the tests start are run by it too.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';
import { setup } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const FETCH_MS = 300_000;

const [version, ...paths] = process.argv.slice(2);
if (!/^\d+(\.\d+\.\d+)?$/.test(version ?? '')) {
  console.error('usage: npm run test:node -- VERSION [PATH ...]; VERSION is 22 or 22.11.0');
  process.exit(2);
}

// It may make node_modules anew, where the runtime is kept.
await setup();
const runtime = await fetchRuntime(`node-linux-${process.arch}`);
const bin = join(runtime, 'bin');
console.log(`Node ${nodeVersion(join(bin, 'node'))}`);
const { status } = spawnSync(join(bin, 'node'), [join(root, 'scripts/test.mjs'), ...paths], {
  stdio: 'inherit',
  env: { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) },
});
process.exitCode = status ?? 1;

/** The folder of the runtime; fetched unless it is there. */
async function fetchRuntime(name) {
  const folder = join(root, 'node_modules/.cache/limpet', `node-${version}`);
  const found = join(folder, 'node_modules', name);
  if (existsSync(join(found, 'bin/node'))) return found;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`];
  await run('npm', args, { cwd: folder, timeoutMs: FETCH_MS });
  return found;
}

function nodeVersion(node) {
  return spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout.trim();
}
