/**
 * The tests and all that they import, compiled in one go: a test that is started with tsx compiles and loads hundreds
 * of files, in each process anew, which takes a second of a core. Stack traces name the sources.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { inlineScripts } from './bundle-plugins.mjs';

/** A new folder for what is compiled; the caller removes it. */
export function testCodeFolder(root) {
  const parent = join(root, 'node_modules/.cache/limpet');
  mkdirSync(parent, { recursive: true });
  removeLeftovers(parent);
  return mkdtempSync(join(parent, `tests-${process.pid}-`));
}

/** Compiles `files`, relative to `root`. */
export async function compileTests(root, files, folder) {
  await build({
    absWorkingDir: root,
    entryPoints: files,
    outbase: root,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'shared/[hash]',
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    keepNames: true,
    sourcemap: 'linked',
    define: { 'import.meta.url': 'moduleUrl', 'import.meta.dirname': 'moduleFolder' },
    plugins: [inlineScripts, ownUrls(root)],
    logLevel: 'silent',
  });
}

/** Where the compiled `file` is. */
export function compiledTest(folder, file) {
  return join(folder, file.replace(/\.ts$/, '.mjs'));
}

/**
 * A test finds what lies beside it as if it still stood in its place; the product finds its programs in dist/, as its
 * bundles do. Lines keep their numbers.
 */
const ownUrls = (root) => ({
  name: 'own-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (path.includes('/node_modules/')) return undefined;
      const text = readFileSync(path, 'utf8');
      if (!/import\.meta\.(url|dirname)/.test(text)) return undefined;
      const isTest = path.startsWith(join(root, 'test/'));
      const place = isTest ? path : join(root, 'dist/bundle.js');
      const [url, folder] = [pathToFileURL(place).href, dirname(place)].map(quoted);
      const names = `const moduleUrl = ${url}, moduleFolder = ${folder};`;
      return { contents: `${names} ${text}`, loader: 'ts' };
    });
  },
});

function quoted(text) {
  return JSON.stringify(text);
}

/** Of runs that were killed. */
function removeLeftovers(parent) {
  for (const name of readdirSync(parent)) {
    const [, pid] = /^tests-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}
