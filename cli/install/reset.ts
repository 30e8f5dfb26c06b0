/** `agent reset`, by the installed program, with the installed configuration, as the user whose data it is. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { setpriv } from '../owner.ts';
import { AGENT_FLAGS } from '../../core/node-flags.ts';
import { saidOf } from './copy-release.ts';
import type { Host } from './host.ts';
import { LAYOUT } from './layout.ts';

const RESET_MS = 300_000;

/** Errors: `unavailable` when an executor cannot be asked; nothing is removed then. */
export function resetAgent(release: string, node: string, host: Host): void {
  const args = ['--config', host.at(LAYOUT.agentConfig), '--data', host.at(LAYOUT.agentData)];
  const program = [
    ...AGENT_FLAGS,
    join(release, 'dist/agent.js'),
    ...args,
    '--reset',
    '--identity',
  ];
  const [command = node, ...rest] = [...asOwner(host), node, ...program];
  try {
    execFileSync(command, rest, {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: RESET_MS,
    });
  } catch (thrown) {
    throw new LimpetError(
      'unavailable',
      `the agent's work could not be ended: ${saidOf(thrown)}; nothing was removed; \`limpet install agent\` starts it again`,
      { cause: thrown },
    );
  }
}

function asOwner(host: Host): readonly string[] {
  const owner = host.stat(LAYOUT.agentData);
  return host.isRoot && owner !== undefined ? setpriv(owner, host.groupId('docker')) : [];
}
