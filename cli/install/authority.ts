/** `requester --init` for an installed requester. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { saidOf } from './copy-release.ts';
import { writeFile } from './durable-file.ts';
import type { Host } from './host.ts';
import { LAYOUT } from './layout.ts';
import type { Step } from './steps.ts';

const INIT_MS = 120_000;

export function makeAuthority(host: Host, step: Extract<Step, { kind: 'authority' }>): void {
  const program = join(host.at(step.release), 'dist/requester.js');
  const folder = host.at(LAYOUT.authority);
  try {
    execFileSync(step.node, [program, '--init', '--folder', folder, ...step.args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: INIT_MS,
    });
  } catch (thrown) {
    throw new LimpetError('unavailable', `no authority was made: ${saidOf(thrown)}`, {
      cause: thrown,
    });
  }
  if (!host.isThisMachine) namePathsOfTheHost(host);
}

/** Below --root: the broker will see the folder as the host does. */
function namePathsOfTheHost(host: Host): void {
  const file = host.at(`${LAYOUT.authority}/nats-server.conf`);
  const text = readFileSync(file, 'utf8').replaceAll(host.at(LAYOUT.authority), LAYOUT.authority);
  writeFile(file, text, { mode: 0o640 });
}
