/**
 * Bundles every program to dist/, one file each, so that a program starts in milliseconds and needs no loader.
 * Each file is written beside its place and renamed into it: nobody ever sees half a program, and two builds at once
 * end in the same files. `node scripts/build.mjs agent requester` builds only the programs named.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { englishOnly, inlineScripts, withoutSsh } from './bundle-plugins.mjs';
import { NOTICES, noticesOf } from './release/notices.mjs';
import { hashSources, STAMP } from './sources.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

const PROGRAMS = {
  limpet: 'cli/main.ts',
  agent: 'agent/main.ts',
  requester: 'requester/main.ts',
  'dev-broker': 'adapters/dev-broker/main.ts',
  'executor-docker': 'executors/docker/main.ts',
  'executor-wasm': 'executors/wasm/main.ts',
  'wasm-runner': 'executors/wasm/runner.ts',
  'wasm-watchdog': 'executors/wasm/watchdog.ts',
  'executor-process': 'executors/process/main.ts',
  'plugin-test': 'plugins/conformance/main.ts',
  'make-code-cache': 'scripts/make-code-cache.mjs',
};

/** Somebody waits for its start, a fifth of which is compiling: it has a code cache, made with the flags that it is run with. */
const CACHED = ['agent'];
const CACHE_FLAGS = ['--max-semi-space-size=2', '--single-threaded-gc'];

/** Loaded from node_modules at run time: native code, or files that it looks for beside itself. */
export const EXTERNAL = ['level', 'classic-level', '@extism/extism'];

const WASM_FEATURES = { bulk_memory: true };

/** CommonJS inside a bundle expects these three; the names in the import keep clear of any in the code. */
const COMMONJS_NAMES = [
  "import { createRequire as commonjsRequire } from 'node:module';",
  "import { fileURLToPath as commonjsPath } from 'node:url';",
  'const require = commonjsRequire(import.meta.url);',
  'const __filename = commonjsPath(import.meta.url);',
  "const __dirname = commonjsPath(new URL('.', import.meta.url));",
].join(' ');

/** Of every bundle. */
const COMMON = {
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  target: 'node20',
  external: EXTERNAL,
  plugins: [withoutSsh, englishOnly, inlineScripts],
  absWorkingDir: root,
  logLevel: 'silent',
};

/** Its types are in the SDK too. */
const ZOD = 'node_modules/zod';

/**
 * One letter beyond Latin-1, in a comment of some package, and V8 keeps the whole source in two bytes a letter: megabytes
 * in every process. An escape means the same wherever such a letter may stand.
 */
function toAscii(text) {
  return text.replaceAll(
    /[^\x00-\x7f]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Builds the named programs (all when none is named). Answers the failures; what could be built is built. */
export async function buildAll(names = []) {
  const started = hashSources(root);
  const jobs = [...programs(), ...pluginFixtures()]
    .filter(
      ([name, entry]) =>
        (names.length === 0 || names.includes(name)) && existsSync(join(root, entry)),
    )
    .map(
      ([name, entry]) =>
        () =>
          bundle(name, entry),
    );
  if (names.length === 0 || names.includes('sdk')) jobs.push(bundleSdk);
  if (names.length === 0) jobs.push(copyWasm, compileWat);
  const results = await Promise.allSettled(jobs.map((job) => job()));
  const failures = results.filter((r) => r.status === 'rejected').map((r) => r.reason);
  const files = results.flatMap((r) => r.value ?? []);
  if (names.length === 0 && failures.length === 0) {
    removeStale(new Set(files));
    place(join(dist, STAMP), started);
  }
  return { files, failures };
}

function programs() {
  return Object.entries(PROGRAMS);
}

/** Plugins that only tests run. */
function pluginFixtures() {
  const plain = list('fixtures/plugins', '.ts');
  return [
    ...plain.map((file) => [`fixtures/${basename(file, '.ts')}`, file]),
    ['fixtures/broken-plugin', 'fixtures/plugins/broken/main.ts'],
  ];
}

async function bundle(name, entry) {
  if (CACHED.includes(name)) return bundleCached(name, entry);
  const outfile = join(dist, `${name}.js`);
  return bundleTo(outfile, entry, { format: 'esm', banner: { js: COMMONJS_NAMES } });
}

/** The program as CommonJS, which can have a cache, its cache, and last of all what runs the two. */
async function bundleCached(name, entry) {
  const outfile = join(dist, `${name}.cjs`);
  const files = await bundleTo(outfile, entry, {
    format: 'cjs',
    banner: { js: `const moduleUrl = require('node:url').pathToFileURL(__filename).href;` },
    define: { 'import.meta.url': 'moduleUrl' },
  });
  const cache = makeCache(outfile);
  const runner = await bundleTo(join(dist, `${name}.js`), 'scripts/program.mjs', { format: 'esm' });
  return [...files, cache, ...runner];
}

function makeCache(program) {
  const cache = program.replace(/\.cjs$/, '.cache');
  const temporary = `${cache}.${process.pid}.tmp`;
  const maker = join(root, 'scripts/make-code-cache.mjs');
  const args = [...CACHE_FLAGS, maker, program, temporary, '--help'];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`no code cache: ${basename(program)} --help has failed`);
  if (existsSync(temporary)) renameSync(temporary, cache);
  return cache;
}

/** The SDK as a folder that needs nothing else: two bundles with what they share, their types, and the licences. */
async function bundleSdk() {
  // It loads the compiler.
  const { sdkTypes } = await import('./sdk-types.mjs');
  const sdk = join(dist, 'sdk');
  const { outputFiles, metafile } = await build({
    ...COMMON,
    entryPoints: { index: 'plugins/sdk/index.ts', testing: 'plugins/sdk/testing.ts' },
    outdir: sdk,
    splitting: true,
    chunkNames: 'shared',
    sourcemap: false,
    format: 'esm',
    banner: { js: COMMONJS_NAMES },
  });
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const about = { name: 'limpet-sdk', version, license: 'Apache-2.0', type: 'module' };
  const files = new Map([
    ...outputFiles.map(({ path, text }) => [basename(path), toAscii(text)]),
    ...sdkTypes(root),
    ['package.json', `${JSON.stringify(about, undefined, 2)}\n`],
    ['LICENSE', readFileSync(join(root, 'LICENSE'), 'utf8')],
    [NOTICES, noticesOf(root, [...new Set([...packagesOf(metafile), ZOD])].sort())],
  ]);
  for (const [name, text] of files) place(join(sdk, name), text);
  return [...files.keys()].map((name) => join(sdk, name));
}

/** With every bundle `NAME.packages.json`: the packages whose code is in it. */
async function bundleTo(outfile, entry, options) {
  const { outputFiles, metafile } = await build({
    ...COMMON,
    entryPoints: [join(root, entry)],
    outfile,
    sourcemap: 'linked',
    ...options,
  });
  for (const { path, text } of outputFiles)
    place(path, path.endsWith('.map') ? text : toAscii(text));
  const packages = `${outfile}.packages.json`;
  place(packages, `${JSON.stringify(packagesOf(metafile), undefined, 2)}\n`);
  return [...outputFiles.map((file) => file.path), packages];
}

/** Their folders, relative to the root. */
function packagesOf({ outputs }) {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const files = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file);
  return [...new Set(files.map(packageFolder).filter((folder) => folder !== undefined))].sort();
}

/**
 * Of `node_modules/@scope/name/lib/x.js`: `node_modules/@scope/name`, nested packages as well; undefined for a file of
 * no package. Names begin with node_modules also where that is a link to another place.
 */
export function packageFolder(file) {
  return /node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

/** Made from C, which needs a compiler that few machines have: committed as they are. */
function copyWasm() {
  const files = list('fixtures/wasm', '.wasm').filter(
    (file) => !existsSync(join(root, watOf(file))),
  );
  return files.map((file) => {
    const target = join(dist, file);
    place(target, readFileSync(join(root, file)));
    return target;
  });
}

function watOf(file) {
  return file.replace(/\.wasm$/, '.wat');
}

async function compileWat() {
  const sources = list('fixtures/wasm', '.wat');
  if (sources.length === 0) return [];
  const { default: loadWabt } = await import('wabt');
  const wabt = await loadWabt();
  return sources.map((file) => {
    const module = wabt.parseWat(file, readFileSync(join(root, file), 'utf8'), WASM_FEATURES);
    const target = join(dist, 'fixtures/wasm', `${basename(file, '.wat')}.wasm`);
    place(target, module.toBinary({}).buffer);
    module.destroy();
    return target;
  });
}

function list(folder, extension) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  const names = readdirSync(path).filter(
    (name) => name.endsWith(extension) && !name.endsWith('.d.ts'),
  );
  return names.sort().map((name) => join(folder, name));
}

function place(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path) && readFileSync(path).equals(Buffer.from(contents))) return;
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

function removeStale(files) {
  for (const name of readdirSync(dist, { recursive: true })) {
    const path = join(dist, name);
    const keep = files.has(path) || name === STAMP || name.endsWith('.tmp');
    if (!keep && statSync(path, { throwIfNoEntry: false })?.isFile()) rmSync(path, { force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const began = performance.now();
  const { files, failures } = await buildAll(process.argv.slice(2));
  for (const failure of failures) console.error(String(failure.message ?? failure));
  const programs = files.filter((file) => !/\.(map|json)$/.test(file)).length;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(
    `build: ${programs} files in ${seconds} s${failures.length ? `, ${failures.length} failed` : ''}`,
  );
  process.exitCode = failures.length === 0 ? 0 : 1;
}
