/** Does one step that `examine` has found to be left to do. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createUser } from '@nats-io/nkeys';
import { assertNever, LimpetError, messageOf } from '../../core/errors.ts';
import { copyRelease, makeCache } from './copy-release.ts';
import { writeFile, writeLink } from './durable-file.ts';
import type { Host } from './host.ts';
import { SERVICES } from './layout.ts';
import { makeAuthority } from './authority.ts';
import { resetAgent } from './reset.ts';
import type { Access, LaterStep, ServiceStep, Step } from './steps.ts';
import type { Progress } from './examine.ts';

const COMMAND_MS = 60_000;

/** Errors: `unavailable` when a program of the host refuses, and those of the file system. */
export function perform(host: Host, step: Step, progress: Progress): void {
  switch (step.kind) {
    case 'group':
      return manage('groupadd', ['--system', step.name]);
    case 'user':
      return manage('useradd', userOptions(step.name, step.group));
    case 'folder':
      mkdirSync(host.at(step.path), { recursive: true });
      return setAccess(host, step.path, step);
    case 'access':
      // An operator may have taken it to a safe place.
      return host.has(step.path) ? setAccess(host, step.path, step) : undefined;
    case 'file':
      if (step.onlyIfMissing === true && host.has(step.path))
        return setAccess(host, step.path, step);
      mkdirSync(dirname(host.at(step.path)), { recursive: true });
      return writeFile(host.at(step.path), step.content, host.access(step));
    case 'key':
      return makeKey(host, step.path);
    case 'link':
      mkdirSync(dirname(host.at(step.path)), { recursive: true });
      return writeLink(host.at(step.path), step.target);
    case 'release':
      return copyRelease(step.from, host.at(step.path));
    case 'cache':
      return makeCache(host.at(step.release), step.node);
    case 'authority':
      return makeAuthority(host, step);
    default:
      return performRest(host, step, progress);
  }
}

/** Services, and what a removal takes away. */
function performRest(host: Host, step: LaterStep, progress: Progress): void {
  switch (step.kind) {
    case 'service':
      return startService(host, step, progress);
    case 'stop':
      return stopService(host, step.service);
    case 'reload':
      return host.systemctl?.reload();
    case 'reset':
      return resetAgent(host.at(step.release), step.node, host);
    case 'remove':
      return rmSync(host.at(step.path), { recursive: true, force: true });
    case 'remove-if-empty':
      return rmdirSync(host.at(step.path));
    case 'remove-user':
      return manage('userdel', [step.name]);
    case 'remove-group':
      return manage('groupdel', [step.name]);
    default:
      return assertNever(step);
  }
}

function userOptions(name: string, group: string): string[] {
  const place = ['--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin'];
  return ['--system', '--gid', group, ...place, name];
}

function manage(program: string, args: readonly string[]): void {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  try {
    execFileSync(program, args, {
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: COMMAND_MS,
      encoding: 'utf8',
    });
  } catch (thrown) {
    const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr).trim() : '';
    throw new LimpetError(
      'unavailable',
      `${program} ${args.join(' ')}: ${said.split('\n')[0] || messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}

function setAccess(host: Host, path: string, access: Access): void {
  const { mode, uid, gid } = host.access(access);
  if (uid !== undefined && gid !== undefined) chownSync(host.at(path), uid, gid);
  chmodSync(host.at(path), mode);
}

function makeKey(host: Host, path: string): void {
  const pair = createUser();
  const seed = Buffer.from(pair.getSeed());
  pair.clear();
  writeFile(host.at(path), Buffer.concat([seed, Buffer.from('\n')]), {
    ...host.access({ mode: 0o600, owner: 'root', group: 'root' }),
  });
  seed.fill(0);
}

function startService(host: Host, step: ServiceStep, { changed }: Progress): void {
  const { systemctl } = host;
  const { unit } = SERVICES[step.service];
  if (systemctl === undefined) return;
  const { active, enabled } = systemctl.state(unit);
  if (!enabled) systemctl.enable(unit);
  if (!step.start) return;
  if (!active) systemctl.start(unit);
  else if (step.restartFor.some((path) => changed.has(path))) systemctl.restart(unit);
}

function stopService(host: Host, service: ServiceStep['service']): void {
  const { unit } = SERVICES[service];
  host.systemctl?.stop(unit);
  host.systemctl?.disable(unit);
}
