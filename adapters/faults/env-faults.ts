/** Crash points that an environment variable arms; see the port. */
import { CRASH_POINTS, type CrashPoint } from '../../core/crash-points.ts';
import { LimpetError } from '../../core/errors.ts';
import type { Faults } from './port.ts';

export const CRASH_VARIABLE = 'LIMPET_CRASH_AT';

export const noFaults: Faults = { reach: () => undefined };

/** Errors: `invalid-config` for an unknown point or count. `kill` stands for SIGKILL to oneself. */
export function envFaults(
  env: Readonly<NodeJS.ProcessEnv>,
  kill: () => void = () => process.kill(process.pid, 'SIGKILL'),
): Faults {
  const text = env[CRASH_VARIABLE];
  if (text === undefined || text === '') return noFaults;
  const armed = parseCrashAt(text);
  let left = armed.passage;
  return {
    reach(point) {
      if (point !== armed.point) return;
      left -= 1;
      if (left === 0) kill();
    },
  };
}

function parseCrashAt(text: string): { readonly point: CrashPoint; readonly passage: number } {
  const [name, count = '1'] = text.split(':');
  const point = CRASH_POINTS.find((known) => known === name);
  const passage = Number(count);
  if (point === undefined || !Number.isInteger(passage) || passage < 1)
    throw new LimpetError(
      'invalid-config',
      `${CRASH_VARIABLE}='${text}' is not a crash point; expected <point>[:<n>] with one of ${CRASH_POINTS.join(', ')}`,
    );
  return { point, passage };
}
