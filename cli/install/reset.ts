/** `agent reset`, by the installed program and with the installed configuration. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { NODE_FLAGS } from '../programs.ts';
import { saidOf } from './copy-release.ts';
import type { Host } from './host.ts';
import { LAYOUT } from './layout.ts';

const RESET_MS = 300_000;

/** Errors: `unavailable` when an executor cannot be asked; nothing is removed then. */
export function resetAgent(release: string, node: string, host: Host): void {
  const args = ['--config', host.at(LAYOUT.agentConfig), '--data', host.at(LAYOUT.agentData)];
  const program = [...NODE_FLAGS, join(release, 'dist/agent.js'), ...args];
  try {
    execFileSync(node, [...program, '--reset', '--identity'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: RESET_MS,
    });
  } catch (thrown) {
    throw new LimpetError(
      'unavailable',
      `the agent's work could not be ended: ${saidOf(thrown)}; nothing of it was removed`,
      { cause: thrown },
    );
  }
}
