/** Everything of an upgrade that changes nothing for what runs: the new version is checked and put beside the present one. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { extract } from 'tar';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { AGENT_FLAGS } from '../../core/node-flags.ts';
import { copyRelease, makeCache, saidOf } from './copy-release.ts';
import type { Host } from './host.ts';
import { LAYOUT } from './layout.ts';
import { checkNode } from './node-program.ts';
import type { InstallRecord } from './record.ts';
import { checkFiles, readRelease, versionFolder, versionName, type Release } from './release.ts';

const HELP_MS = 60_000;

export interface Prepared {
  readonly from: string;
  readonly to: string;
  readonly steps: readonly string[];
}

/** With `dryRun` nothing stays. Errors: `invalid-argument`, `version-mismatch`, `unavailable`. */
export async function prepareUpgrade(
  host: Host,
  record: InstallRecord,
  { path, dryRun }: { readonly path: string; readonly dryRun: boolean },
): Promise<Prepared> {
  const scratch = scratchFolder(host);
  try {
    const folder = await unpacked(resolve(path), scratch);
    const release = readRelease(folder);
    const present = readRelease(host.at(LAYOUT.current));
    checkNode(record.node, release, false);
    checkFiles(folder, release);
    checkStores(present, release);
    const names = { from: versionName(present), to: versionName(release) };
    if (names.from === names.to) return { ...names, steps: [] };
    const target = versionFolder(release);
    if (!dryRun) place(host, { folder, target, node: record.node });
    return {
      ...names,
      steps: [
        `${target}: the new version, with its code compiled by ${record.node}`,
        `${LAYOUT.current}: ${names.from} -> ${names.to}`,
      ],
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function scratchFolder(host: Host): string {
  // On the disk that has to have the room, and whose programs may be run.
  mkdirSync(host.at(LAYOUT.versions), { recursive: true });
  return mkdtempSync(join(host.at(LAYOUT.versions), '.unpacked-'));
}

async function unpacked(path: string, scratch: string): Promise<string> {
  try {
    if (statSync(path).isDirectory()) return realpathSync(path);
    await extract({ file: path, cwd: scratch, strict: true });
  } catch (thrown) {
    throw new LimpetError(
      'invalid-argument',
      `${path} is neither a folder nor an archive of a release: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
  const [only, ...more] = readdirSync(scratch);
  if (only === undefined || more.length > 0)
    throw new LimpetError('invalid-argument', `${basename(path)}: expected one folder in it`);
  return join(scratch, only);
}

/** An older program refuses a store of a newer one, and the way back would end there. */
function checkStores(present: Release, next: Release): void {
  for (const name of ['agent', 'requester'] as const)
    if (next.stores[name] < present.stores[name])
      throw new LimpetError(
        'version-mismatch',
        `limpet ${next.version} knows the ${name}'s store up to schema ${next.stores[name]}, and it has ${present.stores[name]}: there is no way back to it`,
      );
}

function place(
  host: Host,
  {
    folder,
    target,
    node,
  }: { readonly folder: string; readonly target: string; readonly node: string },
): void {
  const to = host.at(target);
  if (!isWhole(to)) {
    rmSync(to, { recursive: true, force: true });
    copyRelease(folder, to);
  }
  makeCache(to, node);
  const program = [...AGENT_FLAGS, join(to, 'dist/agent.js'), '--help'];
  try {
    execFileSync(node, program, { stdio: ['ignore', 'ignore', 'pipe'], timeout: HELP_MS });
  } catch (thrown) {
    throw new LimpetError('unavailable', `the new agent does not run: ${saidOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function isWhole(folder: string): boolean {
  try {
    checkFiles(folder, readRelease(folder));
    return true;
  } catch {
    return false;
  }
}
