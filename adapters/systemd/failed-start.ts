/** A start that failed, and will fail again: a service manager would repeat it twice a second. */
import { setTimeout as pause } from 'node:timers/promises';
import type { LimpetError } from '../../core/errors.ts';
import { silentLog } from '../log/silent-log.ts';
import { serviceManager } from './notify.ts';

const PAUSE_MS = 5_000;
/** Units do not restart on it (`RestartPreventExitStatus`). */
const EXIT_WRONG_ORDER = 2;
const EXIT_FAILED = 1;

/**
 * Resolves with the exit code: at once with 2 when command line or config are wrong, else with 1; under a service manager
 * that comes after 5 s, in which `systemctl status` shows why.
 */
export async function failedStart(
  error: LimpetError,
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  if (error.code === 'invalid-argument' || error.code === 'invalid-config') return EXIT_WRONG_ORDER;
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return EXIT_FAILED;
  serviceManager(env, silentLog).status(`cannot start: ${error.message}`);
  await pause(PAUSE_MS);
  return EXIT_FAILED;
}
