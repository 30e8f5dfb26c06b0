/** A release in its version folder, whole or not at all. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { AGENT_FLAGS } from '../../core/node-flags.ts';
import { syncFolder, writeFile } from './durable-file.ts';
import { checkFiles, readRelease } from './release.ts';

const CACHE_MS = 60_000;

/** Owned by who runs this, writable by nobody else. Errors: `invalid-argument` when it is not whole. */
export function copyRelease(from: string, to: string): void {
  const release = readRelease(from);
  checkFiles(from, release);
  const temporary = `${to}.${process.pid}.tmp`;
  mkdirSync(dirname(to), { recursive: true });
  rmSync(temporary, { recursive: true, force: true });
  try {
    cpSync(from, temporary, { recursive: true, filter: (path) => !path.endsWith('.cache') });
    settle(temporary);
    checkFiles(temporary, release);
    renameSync(temporary, to);
    syncFolder(dirname(to));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Rights that do not come from whoever unpacked it; and on the disk. */
function settle(folder: string): void {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const path of [...paths.map((one) => join(folder, one)), folder]) {
    const stat = statSync(path);
    const runnable = stat.isDirectory() || (stat.mode & 0o100) !== 0;
    if (process.getuid?.() === 0) chownSync(path, 0, 0);
    chmodSync(path, runnable ? 0o755 : 0o644);
    syncFolder(path);
  }
}

/** The agent as the Node of this host compiles it, which saves a part of every start. */
export function makeCache(release: string, node: string): void {
  const dist = join(release, 'dist');
  const cache = join(dist, 'agent.cache');
  const made = `${cache}.${process.pid}.made`;
  const files = [join(dist, 'make-code-cache.js'), join(dist, 'agent.cjs'), made];
  rmSync(cache, { force: true });
  try {
    execFileSync(node, [...AGENT_FLAGS, ...files, '--help'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: CACHE_MS,
    });
    if (existsSync(made)) writeFile(cache, readFileSync(made), { mode: 0o644 });
  } catch (thrown) {
    throw new LimpetError(
      'unavailable',
      `the agent of ${release} does not run by ${node}: ${saidOf(thrown)}`,
      { cause: thrown },
    );
  } finally {
    rmSync(made, { force: true });
  }
}

/** Why a program has failed: what it said itself, or the error that Node printed. */
export function saidOf(thrown: unknown): string {
  const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr).trim() : '';
  const lines = said.split('\n');
  const own = lines.find((line) => /^(limpet agent|requester): /.test(line));
  const line = own ?? lines.find((one) => /error/i.test(one)) ?? lines[0];
  return line || (messageOf(thrown).split('\n')[0] ?? '');
}
