/** Programs from the packages of Debian and Ubuntu: nothing is ever removed, and no service is started. Only node:* here. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { findProgram } from './programs.mjs';
import { run } from './run.mjs';

const POLICY = '/usr/sbin/policy-rc.d';
const UPDATE = ['update'];
const INSTALL = ['install', '-y', '--no-remove', '--no-install-recommends'];

/** For people, to be typed as they stand. */
export function installCommands(packages) {
  if (packages.length === 0) return [];
  const sudo = process.getuid() === 0 ? '' : 'sudo ';
  const commands = [UPDATE, [...INSTALL, ...packages]];
  return commands.map((args) => `${sudo}apt-get ${args.join(' ')}`);
}

/** Why we cannot install packages here; undefined when we can. */
export function cannotInstall() {
  if (!isDebianLike() || findProgram('apt-get') === undefined) return 'this is no Debian or Ubuntu';
  if (process.getuid() !== 0) return 'that needs root';
  return undefined;
}

/** Installs what it can; says what it could not, and never rejects. */
export async function installPackages(packages) {
  await withoutServices(async () => {
    await attempt(UPDATE);
    if (packages.length > 1 && (await attempt([...INSTALL, ...packages], () => undefined))) return;
    for (const name of packages) await attempt([...INSTALL, name]);
  });
}

async function attempt(args, report = (message) => console.error(message)) {
  const options = ['-q', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20'];
  const env = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  try {
    await run('apt-get', [...options, ...args], { env, timeoutMs: 120_000 });
    return true;
  } catch (error) {
    report(lastLines(error.message));
    return false;
  }
}

function lastLines(text) {
  return text.split('\n').slice(-8).join('\n');
}

/** A package may start its service when it is installed, unless this file forbids it; one that is there is left alone. */
async function withoutServices(action) {
  if (existsSync(POLICY)) return action();
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return await action();
  } finally {
    rmSync(POLICY, { force: true });
  }
}

function isDebianLike() {
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}
