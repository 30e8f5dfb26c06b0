/** Which files a release has: what its programs load, and what an operator needs to install them. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { EXTERNAL, packageFolder } from '../build.mjs';

/** LevelDB as machine code for glibc, made by its authors: `linux-ARCH/NAME`. */
const PREBUILDS = {
  x64: 'linux-x64/classic-level.node',
  arm64: 'linux-arm64/classic-level.armv8.node',
};
export const ARCHITECTURES = Object.keys(PREBUILDS);

/** `files` and `packages` (folders of those whose code is in the release), relative to `root`, sorted. */
export async function releaseFiles(root, arch) {
  const loaded = await loadedFiles(root);
  const folders = [...new Set(loaded.map(packageFolder))];
  const programs = filesBelow(root, 'dist').filter(isProgram);
  const files = [
    ...['bin/limpet', 'bin/package.json', 'LICENSE', 'agent.config.json', 'requester.config.json'],
    ...programs,
    ...sdkFiles(root),
    ...filesBelow(root, 'plugins/template'),
    ...filesBelow(root, 'deploy').filter((file) => !file.endsWith('.md')),
    ...filesBelow(root, 'docs/reference').filter((file) => file.endsWith('.schema.json')),
    ...filesBelow(root, 'docs').filter((file) => /^docs\/[^/]+\.md$/.test(file)),
    ...loaded,
    ...folders.flatMap((folder) => descriptionOf(root, folder)),
    `node_modules/classic-level/prebuilds/${PREBUILDS[arch]}`,
  ];
  const bundled = programs.flatMap((file) => packagesIn(root, file));
  return {
    files: [...new Set(files)].sort(),
    packages: [...new Set([...folders, ...bundled])].sort(),
  };
}

/** What `limpet plugin init` puts into a project. */
function sdkFiles(root) {
  const files = filesBelow(root, 'dist/sdk');
  if (files.length === 0) throw new Error('dist/sdk is missing; run npm run build');
  return files;
}

/** As the build has written them down. */
function packagesIn(root, program) {
  const file = join(root, `${program}.packages.json`);
  if (!existsSync(file))
    throw new Error(`${program} was built by an older checkout; run npm run build`);
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** The code cache is made by the Node of the host that it is installed on. */
function isProgram(file) {
  return /^dist\/[^/]+\.(js|cjs)$/.test(file);
}

/** Every file that the external packages load, as the bundler follows it. */
async function loadedFiles(root) {
  const { metafile } = await build({
    stdin: {
      contents: EXTERNAL.map((name, at) => `export * as p${at} from '${name}';`).join('\n'),
      resolveDir: root,
    },
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    treeShaking: false,
    // node_modules may be a link itself.
    preserveSymlinks: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    outfile: 'none.js',
  });
  return Object.keys(metafile.inputs).filter((file) => file.startsWith('node_modules/'));
}

/** `type` and `exports` stand in package.json; the folder of one form of a package may have its own. */
function descriptionOf(root, folder) {
  return filesBelow(root, folder).filter((file) => {
    const name = file.slice(folder.length + 1);
    return /^licen[cs]e[^/]*$/i.test(name) || /^(dist\/esm\/)?package\.json$/.test(name);
  });
}

function filesBelow(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(folder, name))
    .filter((file) => statSync(join(root, file)).isFile());
}
