/**
 * `npm run setup [-- --yes]`: everything that demo and tests need, each step with its time, nothing to do the second
 * time. Programs are looked for by name, never by package. Only node:* is imported: node_modules may be missing.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createInterface } from 'node:readline/promises';
import { engineAnswers, engineHost, privateEngineMissing } from './engine.mjs';
import { installCommands, installPackages, cannotInstall } from './packages.mjs';
import { findGo, findProgram, findPython, findStaticBusybox } from './programs.mjs';
import { run } from './run.mjs';
import { isBuilt } from './sources.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Each answers what was found, or nothing. `without` says what does not work then. */
const NEEDS = [
  {
    name: 'Docker engine',
    packages: ['docker.io'],
    find: findEngine,
    without: 'Docker jobs cannot run; their tests are skipped',
  },
  {
    name: 'nats-server',
    packages: ['nats-server'],
    find: () => findProgram('nats-server'),
    without: 'the embedded broker is used; tests against nats-server are skipped',
  },
  {
    name: 'static busybox',
    packages: ['busybox-static'],
    find: findStaticBusybox,
    without: 'no image can be made for Docker jobs; their tests are skipped',
  },
  {
    name: 'mmdebstrap',
    packages: ['mmdebstrap'],
    find: () => findProgram('mmdebstrap'),
    without: 'no machine with systemd can be made; its tests are skipped',
  },
  {
    name: 'Go with go-plugin',
    packages: [
      'golang-go',
      'golang-github-hashicorp-go-plugin-dev',
      'golang-google-grpc-dev',
      'protoc-gen-go-1-3',
    ],
    find: findGo,
    without: 'the Go example cannot be built; its tests are skipped',
  },
  {
    name: 'grpcio for Python',
    packages: ['python3-grpcio', 'python3-protobuf'],
    find: findPython,
    without: 'the Python example cannot run; its tests are skipped',
  },
];

/**
 * Runs all steps, printing one line each to stdout. Rejects when a step fails that nothing works without; a missing
 * program is no failure. `yes`: install without asking (also without a terminal).
 */
export async function setup({ yes = false } = {}) {
  checkNode();
  const missing = await step('programs', findMissing);
  if (missing.length > 0) await step('packages', () => install(missing, yes));
  await step('modules', installModules);
  await step('build', build);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 11)) {
    throw new Error(`Limpet needs Node 20.11 or newer; this is ${process.version}`);
  }
}

/** A step answers its line, or `{ line, value }`. */
async function step(name, action) {
  const began = performance.now();
  const result = await action();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`setup: ${name.padEnd(9)} ${seconds.padStart(5)} s  ${result.line ?? result}`);
  return result.value;
}

async function findMissing() {
  const looks = await Promise.all(NEEDS.map(async (need) => ({ need, found: await need.find() })));
  const line = looks.map(({ need, found }) => `${need.name}: ${found ?? 'MISSING'}`).join('; ');
  return { line, value: looks.filter(({ found }) => found === undefined).map(({ need }) => need) };
}

async function findEngine() {
  const host = engineHost();
  if (await engineAnswers(host)) return host;
  return privateEngineMissing() === undefined ? findProgram('dockerd') : undefined;
}

async function install(missing, yes) {
  const packages = wanted(missing);
  const obstacle = packages.length === 0 ? 'dockerd is there, but needs root' : cannotInstall();
  console.log(`setup: missing: ${missing.map((need) => need.name).join(', ')}`);
  for (const command of installCommands(packages)) console.log(`setup:   ${command}`);
  const agreed = obstacle === undefined && (yes || (await agrees()));
  if (agreed) await installPackages(packages);
  const { value: left } = await findMissing();
  for (const need of left) console.log(`setup: without ${need.name}: ${need.without}`);
  if (left.length === 0) return `installed ${packages.join(', ')}`;
  return agreed ? 'not all could be installed' : `not installed: ${obstacle ?? 'declined'}`;
}

/** A dockerd that only lacks root is not helped by a package. */
function wanted(missing) {
  const hasDaemon = findProgram('dockerd') !== undefined;
  const packages = missing.flatMap((need) => need.packages);
  return packages.filter((name) => !(name === 'docker.io' && hasDaemon));
}

/** Without a terminal nobody can be asked, and setup goes ahead. */
async function agrees() {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question('setup: install them now? [Y/n] ');
  terminal.close();
  return /^(y|yes|)$/i.test(answer.trim());
}

async function installModules() {
  if (modulesMatch()) return 'nothing to do';
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, timeoutMs: 170_000 });
  return 'npm ci';
}

/** npm writes down in node_modules what it has installed, as its last act: compared with the lock, package by package. */
function modulesMatch() {
  try {
    const { '': _root, ...locked } = packagesOf('package-lock.json');
    const installed = packagesOf('node_modules/.package-lock.json');
    const optional = (path) =>
      locked[path].optional || locked[path].devOptional || locked[path].peer;
    return (
      Object.keys(installed).every((path) => path in locked) &&
      Object.keys(locked).every((path) =>
        path in installed ? installed[path].version === locked[path].version : optional(path),
      )
    );
  } catch {
    return false;
  }
}

function packagesOf(file) {
  return JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')).packages;
}

async function build() {
  if (isBuilt(root)) return 'nothing to do';
  const { buildAll } = await import('./build.mjs');
  const { files, failures } = await buildAll();
  if (failures.length > 0) throw new Error(failures.map((failure) => failure.message).join('\n'));
  return `${files.filter((file) => !file.endsWith('.map')).length} files in dist/`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  setup({ yes: process.argv.includes('--yes') }).catch((error) => {
    console.error(`setup failed: ${error.message}`);
    process.exitCode = 1;
  });
}
