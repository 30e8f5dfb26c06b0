/** Part 1: one text, counted by every executor and by `wc -w`. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TEXT_BYTES = 1_500_000;
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

export async function countWords(world, report) {
  report.title('1. Words of a real text');
  const text = join(world.textFolder, 'readmes.txt');
  writeFileSync(text, collectText());
  const [expected] = execFileSync('wc', ['-w', text], { env: { ...process.env, LC_ALL: 'C' } })
    .toString()
    .trim()
    .split(' ');
  report.note(
    `the README files of the installed packages, ${readFileSync(text).length} bytes; wc -w says ${expected}`,
  );
  for (const executor of world.executors) {
    const started = performance.now();
    const result = await countOn(world, executor);
    const ms = (performance.now() - started).toFixed(0);
    report.check(
      result === expected,
      `${executor}: ${result} words (${ms} ms, command line included)`,
    );
  }
}

async function countOn(world, executor) {
  const local = {
    Source: { Type: 'local', Params: { SourcePath: world.textFolder } },
    Target: '/input',
  };
  const file = world.jobFile(`words-${executor}`, {
    Engine: world.engine(executor, { wasm: 'wordcount', argv: ['wc', '-w'] }, [
      '/input/readmes.txt',
    ]),
    Env: { LC_ALL: 'C' },
    InputSources: executor === 'wasm' ? [local, world.module('wordcount')] : [local],
  });
  const { code, stdout, stderr } = await world.limpet(['job', 'run', '--follow', file]);
  if (code !== 0) throw new Error(`${executor} job failed: ${stderr}`);
  return /\d+/.exec(stdout)?.[0];
}

/** Real prose of many hands, on every machine that has run `npm ci`. */
function collectText() {
  const parts = [];
  let bytes = 0;
  for (const name of readdirSync(modules, { recursive: true }).sort()) {
    if (bytes > TEXT_BYTES) break;
    if (!/(^|\/)readme\.md$/i.test(name)) continue;
    const part = readFileSync(join(modules, name));
    parts.push(part);
    bytes += part.length;
  }
  return Buffer.concat(parts);
}
