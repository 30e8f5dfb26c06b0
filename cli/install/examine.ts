/** Compares a step with the host: what is left to do, one line each; nothing when it is done. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertNever, LimpetError } from '../../core/errors.ts';
import type { Host } from './host.ts';
import { LAYOUT, PREFIX, SERVICES } from './layout.ts';
import type { Access, FileStep, LaterStep, ServiceStep, Step } from './steps.ts';

const HASH_BYTES = 32;

/** What was done before in the same plan. */
export interface Progress {
  readonly changed: ReadonlySet<string>;
}

/** Errors: `conflict` when something is in the way that is not ours, `permission-denied`. */
export function examine(host: Host, step: Step, progress: Progress): readonly string[] {
  switch (step.kind) {
    case 'group':
      return isToBeMade(host, host.groupId(step.name)) ? ['make the group'] : [];
    case 'user':
      return isToBeMade(host, host.userId(step.name))
        ? [`make the user: system, group ${step.group}, no shell, no home`]
        : [];
    case 'folder':
      return host.has(step.path) ? accessDiffers(host, step) : [`make the folder ${rights(step)}`];
    case 'access':
      return accessDiffers(host, step);
    case 'file':
      return examineFile(host, step);
    case 'key':
      return host.has(step.path) ? [] : ['make a key pair (secret), mode 600, root:root'];
    case 'link':
      return examineLink(host, step.path, step.target);
    case 'release':
      return host.has(`${step.path}/release.json`) ? [] : [`copy the release in ${step.from}`];
    case 'cache':
      return hasCache(host, step.release, step.node) ? [] : [`compile by ${step.node}`];
    case 'authority':
      return host.has(`${LAYOUT.authority}/authority.json`)
        ? []
        : [`make operator, account and keys (secret): requester ${step.args.join(' ')}`];
    default:
      return examineRest(host, step, progress);
  }
}

/** Services, and what a removal takes away. */
function examineRest(host: Host, step: LaterStep, progress: Progress): readonly string[] {
  switch (step.kind) {
    case 'service':
      return examineService(host, step, progress);
    case 'stop':
      return examineStop(host, step.service);
    case 'reload':
      return host.systemctl !== undefined && [...progress.changed].some(isUnit)
        ? ['read the units anew']
        : [];
    case 'reset':
      return host.has(`${LAYOUT.agentData}/identity.json`)
        ? ['end its runs and plugins, remove what they keep in engines']
        : [];
    case 'remove':
      return host.stat(step.path) === undefined ? [] : ['remove'];
    case 'remove-if-empty':
      return isEmptyFolder(host, step.path) ? ['remove the empty folder'] : [];
    case 'remove-user':
      return isThere(host, host.userId(step.name)) ? ['remove the user'] : [];
    case 'remove-group':
      return isThere(host, host.groupId(step.name)) ? ['remove the group'] : [];
    default:
      return assertNever(step);
  }
}

/** As far as it is known now: what earlier steps will remove still counts. */
function isEmptyFolder(host: Host, path: string): boolean {
  return host.stat(path)?.isDirectory() === true && readdirSync(host.at(path)).length === 0;
}

/** Below --root nobody is made: whoever boots that tree installs again. */
function isToBeMade(host: Host, id: number | undefined): boolean {
  return host.isThisMachine && id === undefined;
}

function isThere(host: Host, id: number | undefined): boolean {
  return host.isThisMachine && id !== undefined;
}

function isUnit(path: string): boolean {
  return path.startsWith('/etc/systemd/system/');
}

function rights({ mode, owner, group }: Access): string {
  return `mode ${mode.toString(8)}, ${owner}:${group}`;
}

function accessDiffers(host: Host, step: { readonly path: string } & Access): string[] {
  const stat = host.stat(step.path);
  if (stat === undefined) return [`set ${rights(step)}`];
  const { uid, gid } = host.access(step);
  const same =
    (stat.mode & 0o7777) === step.mode &&
    (uid === undefined || gid === undefined || (stat.uid === uid && stat.gid === gid));
  const now = `${(stat.mode & 0o7777).toString(8)}, ${stat.uid}:${stat.gid}`;
  return same ? [] : [`set ${rights(step)}; it is ${now}`];
}

function examineFile(host: Host, step: FileStep): readonly string[] {
  const text = host.read(step.path);
  if (text === undefined) return [`write, ${rights(step)}`];
  if (step.onlyIfMissing !== true && text !== step.content) return [`change, ${rights(step)}`];
  return accessDiffers(host, step);
}

function examineLink(host: Host, path: string, target: string): readonly string[] {
  const stat = host.stat(path);
  if (stat === undefined) return [`link to ${target}`];
  const now = host.readLink(path);
  if (now === target) return [];
  if (now !== undefined && (now.startsWith('versions/') || now.startsWith(`${PREFIX}/`)))
    return [`link to ${target}; it is ${now}`];
  throw new LimpetError(
    'conflict',
    `${host.at(path)} is there and not ours (${now === undefined ? 'no link' : `a link to ${now}`}); move it away first`,
  );
}

/** As `scripts/code-cache.mjs` accepts it: it begins with a hash of Node's version, the program and itself. */
function hasCache(host: Host, release: string, node: string): boolean {
  const [program, cache] = ['agent.cjs', 'agent.cache'].map((name) =>
    join(host.at(release), 'dist', name),
  );
  if (program === undefined || cache === undefined || !existsSync(cache)) return false;
  const bytes = readFileSync(cache);
  const body = bytes.subarray(HASH_BYTES);
  const hash = createHash('sha256')
    .update(`v${host.nodeVersion(node)}`)
    .update(readFileSync(program))
    .update(body);
  return bytes.subarray(0, HASH_BYTES).equals(hash.digest());
}

function examineService(host: Host, step: ServiceStep, { changed }: Progress): readonly string[] {
  if (host.systemctl === undefined) return [];
  const { active, enabled } = host.systemctl.state(SERVICES[step.service].unit);
  const todo = enabled ? [] : ['enable'];
  if (!step.start) return todo;
  if (!active) return [...todo, 'start'];
  const reason = step.restartFor.find((path) => changed.has(path));
  return reason === undefined ? todo : [...todo, `restart, for ${reason}; work goes on`];
}

function examineStop(host: Host, service: ServiceStep['service']): readonly string[] {
  if (host.systemctl === undefined || !host.has(`/etc/systemd/system/${SERVICES[service].unit}`))
    return [];
  const { active, enabled } = host.systemctl.state(SERVICES[service].unit);
  return [...(active ? ['stop'] : []), ...(enabled ? ['disable'] : [])];
}
