/**
 * `npm run release [-- --arch x64|arm64] [--out DIR] [--no-build] [--no-times]`: one archive per architecture that needs
 * nothing but Node. The path of each is printed; the last line on stdout is the last of them. `--no-build` takes dist/ as
 * it is.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { buildAll } from './build.mjs';
import { ARCHITECTURES, releaseFiles } from './release/files.mjs';
import { NOTICES, noticesOf } from './release/notices.mjs';
import { layOut, pack, readOf } from './release/pack.mjs';
import { startTimes } from './release/times.mjs';
import { isBuilt } from './sources.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const NODE = '>=20.11';

await main().catch((error) => {
  console.error(`release: ${error.message}`);
  process.exitCode = 1;
});

async function main() {
  const options = readOptions();
  if (!options['no-build'] && !isBuilt(root)) await buildOrFail();
  const { VERSION, STORE_SCHEMAS } = await versions();
  const out = resolve(options.out ?? join(root, 'release'));
  mkdirSync(out, { recursive: true });
  const archives = [];
  for (const arch of options.arch === undefined ? ARCHITECTURES : [options.arch]) {
    const facts = { name: 'limpet', version: VERSION, arch, libc: 'glibc', node: NODE };
    archives.push(await makeOne(out, { ...facts, stores: STORE_SCHEMAS }, options));
  }
  console.log(archives.join('\n'));
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string' },
      out: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      'no-times': { type: 'boolean', default: false },
    },
  });
  if (values.arch !== undefined && !ARCHITECTURES.includes(values.arch))
    throw new Error(`--arch ${values.arch} is not known; expected ${ARCHITECTURES.join(' or ')}`);
  return values;
}

async function buildOrFail() {
  const { failures } = await buildAll();
  if (failures.length > 0) throw new Error(failures.map((one) => one.message ?? one).join('\n'));
}

/** Of wire/version.ts, which is the truth for all programs. */
async function versions() {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'wire/version.ts')],
    format: 'esm',
    write: false,
  });
  return import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`
  );
}

/** Answers the path of the archive. */
async function makeOne(out, facts, options) {
  const name = `limpet-${facts.version}-linux-${facts.arch}`;
  const scratch = mkdtempSync(join(tmpdir(), 'limpet-release-'));
  try {
    const folder = join(scratch, name);
    const { files: paths, packages } = await releaseFiles(root, facts.arch);
    const files = paths.map((path) => readOf(root, path));
    files.push(
      { path: 'package.json', bytes: description(facts), mode: 0o644 },
      { path: NOTICES, bytes: Buffer.from(noticesOf(root, packages)), mode: 0o644 },
    );
    const { build } = layOut(folder, files, facts);
    const archive = join(out, `${name}.tar.gz`);
    await pack(folder, ['release.json', ...files.map(({ path }) => path)], archive);
    const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
    console.log(
      `${name} build ${build}: ${files.length} files, ${megabytes(statSync(archive).size)}, unpacked ${megabytes(bytes)}`,
    );
    if (facts.arch === process.arch && !options['no-times']) await printTimes(folder, scratch);
    return archive;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Node takes the form of the programs in dist/ from it. */
function description({ name, version }) {
  const about = { name, version, private: true, license: 'Apache-2.0', type: 'module' };
  return Buffer.from(`${JSON.stringify(about, undefined, 2)}\n`);
}

async function printTimes(folder, scratch) {
  const { versionMs, agentMs } = await startTimes(folder, scratch);
  console.log(
    `start with Node ${process.version}: limpet --version ${Math.round(versionMs)} ms, agent ready ${Math.round(agentMs)} ms`,
  );
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
