/**
 * `npm run bench [-- NAME ...] [--json]`: set-up, then the files of bench/ one after the other, and one table of all
 * figures. Nothing fails for a slow figure; a bench that cannot be run makes the exit code 1.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engineAnswers, engineHost, privateEngineMissing, startPrivateEngine } from './engine.mjs';
import { setup } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'bench');

process.exitCode = await main().catch((error) => {
  console.error(`bench: ${error.message}`);
  return 1;
});

async function main() {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const names = chosen(positionals);
  // With --json stdout is for the figures alone.
  if (values.json) console.log = console.error;
  await setup();
  const engine = await findEngine();
  const figures = [];
  let failed = 0;
  try {
    for (const name of names) {
      const found = await runBench(name, engine?.host).catch((error) => {
        console.error(`bench: ${name}: ${error.message}`);
        failed += 1;
        return [];
      });
      figures.push(...found.map((figure) => ({ bench: name, ...figure, met: isMet(figure) })));
    }
  } finally {
    await engine?.stop();
  }
  if (values.json) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
  else console.log(`\n${await table(figures)}`);
  return failed === 0 ? 0 : 1;
}

function chosen(wanted) {
  const all = readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => basename(file, '.ts'))
    .sort();
  const unknown = wanted.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`no bench '${unknown}'; there are ${all.join(', ')}`);
  return wanted.length === 0 ? all : wanted;
}

async function findEngine() {
  const host = engineHost();
  if (await engineAnswers(host)) return { host, stop: () => undefined };
  const missing = privateEngineMissing();
  if (missing === undefined) return startPrivateEngine();
  console.error(`bench: Docker figures are left out: no engine answers, and ${missing}`);
  return undefined;
}

/** A bench prints its figures as one line of JSON on stdout, and what it does on stderr. */
async function runBench(name, host) {
  console.error(`bench: ${name}`);
  const env = { ...process.env, ...(host === undefined ? {} : { LIMPET_BENCH_DOCKER: host }) };
  const child = spawn(process.execPath, ['--import=tsx', join(folder, `${name}.ts`)], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve(signal ?? exitCode));
  });
  if (code !== 0) throw new Error(`ended with ${code}`);
  return JSON.parse(output);
}

function isMet({ median, aim }) {
  if (aim === undefined) return undefined;
  return 'below' in aim ? median < aim.below : median > aim.above;
}

async function table(figures) {
  const { default: Table } = await import('cli-table3');
  const rows = new Table({
    head: ['figure', 'n', 'median', 'p99 or range', 'unit', 'aim', 'met'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, samples, median, spread, unit, aim, met } of figures) {
    const held = met === undefined ? '' : met ? 'yes' : 'NO';
    const bound = aim === undefined ? '' : 'below' in aim ? `< ${aim.below}` : `> ${aim.above}`;
    const digits = unit === 'times' ? 2 : 1;
    rows.push([name, samples, median.toFixed(digits), spread, unit, bound, held]);
  }
  return rows.toString();
}
