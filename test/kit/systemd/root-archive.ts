/**
 * A root file system with systemd, as a tar: made once by mmdebstrap from the Debian or Ubuntu that this machine runs, by its own
 * apt sources, and kept in node_modules/.cache under the hash of the recipe. The one with a Docker engine is made out of the
 * plain one.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../../../scripts/programs.mjs';
import { run } from '../../../scripts/run.mjs';

const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/limpet/', import.meta.url));
const BUILD_SECONDS = 120;
/** A file of the test waits for another one that builds the same archive. */
const LOCK_SECONDS = BUILD_SECONDS + 35;
const RETRY_MS = 10 * 60_000;

/** Whatever happens, nothing half made is left; of its output the last line. */
const BUILD = `
[ ! -e "$0" ] || exit 0
"$@" > "$0.log" 2>&1 && mv "$0.new" "$0" && rm "$0.log" && exit 0
code=$?
[ $code != 124 ] || echo timed out
tail -n 1 "$0.log"
rm -f "$0.new" "$0.log"
exit 1`;

const PACKAGES = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'procps',
  'passwd',
  'util-linux',
  'iproute2',
  'libstdc++6',
  'ca-certificates',
  'busybox-static',
];
const LEFT_OUT = ['man', 'doc', 'locale', 'info'].map((name) => `/usr/share/${name}/*`);
/** Of no use in a container, or a hindrance. */
const MASKED = [
  'systemd-udevd.service',
  'systemd-udevd-kernel.socket',
  'systemd-udevd-control.socket',
  'getty@.service',
  'console-getty.service',
  'systemd-logind.service',
  'sys-kernel-debug.mount',
  'dev-hugepages.mount',
  'systemd-timesyncd.service',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
];

/** Large programs of the engine that no test runs. */
const ENGINE_LEFT_OUT = ['usr/bin/ctr', 'usr/bin/dnet', 'usr/sbin/ovrouter'];

export type Contents = 'plain' | 'docker';

/** An archive of one kind; the file is named by the hash of the command that makes it. */
interface Recipe {
  readonly name: string;
  readonly codename: string;
  readonly command: readonly string[];
}

interface System {
  readonly mirror: string;
  readonly component: string;
}

/** Its path; rejects with the reason, one line, when there is none and none can be made in two minutes. */
export async function rootArchive(contents: Contents = 'plain'): Promise<string> {
  const codename = releaseField('VERSION_CODENAME');
  const plain = await archiveOf(plainRecipe(codename));
  return contents === 'plain' ? plain : archiveOf(dockerRecipe(codename, plain));
}

async function archiveOf(recipe: Recipe): Promise<string> {
  const path = join(CACHE, `${recipe.name}-${hashOf(recipe)}.tar`);
  if (existsSync(path)) return path;
  if (findProgram('mmdebstrap') === undefined) throw new Error('no mmdebstrap on this machine');
  const failed = `${path}.failed`;
  const reason = freshReason(failed);
  if (reason !== undefined) throw new Error(reason);
  mkdirSync(CACHE, { recursive: true });
  try {
    await build(path, recipe);
  } catch (error) {
    writeFileSync(failed, reasonOf(error));
    throw new Error(reasonOf(error), { cause: error });
  }
  const ours = new RegExp(`^${recipe.name}-[0-9a-f]{12}\\.tar`);
  for (const name of readdirSync(CACHE))
    if (ours.test(name) && join(CACHE, name) !== path) rmSync(join(CACHE, name));
  return path;
}

/** What another file of the same test run has tried in vain is not tried again. */
function freshReason(failed: string): string | undefined {
  const since = statSync(failed, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Date.now() - since < RETRY_MS ? readFileSync(failed, 'utf8') : undefined;
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message.trim() : String(error);
  if (text.includes('\ntimed out')) return `mmdebstrap did not end within ${BUILD_SECONDS} s`;
  return text.split('\n').at(-1) ?? '';
}

/** Two that come at once build it once. */
async function build(path: string, { name, codename, command }: Recipe): Promise<void> {
  const { mirror, component } = await systemOf(codename);
  const limited = ['timeout', '--kill-after=30', String(BUILD_SECONDS), ...command];
  const source = `deb ${mirror} ${codename} ${component}`;
  const shell = ['sh', '-c', BUILD, path, ...limited, `${path}.new`, source];
  const lock = join(CACHE, `${name}.lock`);
  const timeoutMs = (LOCK_SECONDS + LOCK_SECONDS) * 1000;
  await run('flock', ['--wait', String(LOCK_SECONDS), lock, ...shell], { timeoutMs });
}

function plainRecipe(codename: string): Recipe {
  const masks = MASKED.map((unit) => `ln -sf /dev/null "$1/etc/systemd/system/${unit}"`);
  const command = [
    'mmdebstrap',
    '--variant=minbase',
    '--format=tar',
    '--skip=output/dev',
    `--include=${PACKAGES.join(',')}`,
    ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    `--customize-hook=${masks.join(' && ')}`,
    codename,
  ];
  return { name: 'systemd', codename, command };
}

/** What the plain one has is there already, what it leaves out too: only the engine is fetched. */
function dockerRecipe(codename: string, plain: string): Recipe {
  const command = [
    'mmdebstrap',
    '--variant=custom',
    '--format=tar',
    '--skip=output/dev',
    '--include=docker.io',
    `--setup-hook=tar -C "$1" -xf '${plain}'`,
    `--customize-hook=cd "$1" && rm ${ENGINE_LEFT_OUT.join(' ')}`,
    codename,
  ];
  return { name: 'systemd-docker', codename, command };
}

function hashOf({ command }: Recipe): string {
  const text = JSON.stringify([process.arch, ...command]);
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** Where this machine takes its own packages from. */
async function systemOf(codename: string): Promise<System> {
  const ubuntu = releaseField('ID') === 'ubuntu';
  const origin = ubuntu ? 'Ubuntu' : 'Debian';
  const component = ubuntu ? 'main universe' : 'main';
  const format = '$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(REPO_URI)';
  const args = ['indextargets', '--format', format, 'Identifier: Packages'];
  const targets = (await run('apt-get', args, { timeoutMs: 20_000 })).split('\n');
  const ours = targets
    .map((line) => line.split('|'))
    .filter(([release, name]) => release === codename && name === 'main');
  const mirror = (ours.find((target) => target[2] === origin) ?? ours[0])?.[3];
  if (mirror === undefined) throw new Error(`apt of this machine has no source of ${codename}`);
  return { mirror, component };
}

function releaseField(name: string): string {
  const text = readFileSync('/etc/os-release', 'utf8');
  const value = new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]?.replaceAll('"', '');
  if (value === undefined) throw new Error(`/etc/os-release names no ${name}`);
  return value;
}
