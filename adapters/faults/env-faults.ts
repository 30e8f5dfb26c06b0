/** Crash points that an environment variable arms; see the port. */
import { CRASH_POINTS, type CrashPoint } from '../../core/crash-points.ts';
import { LimpetError } from '../../core/errors.ts';
import type { Faults } from './port.ts';

export const CRASH_VARIABLE = 'LIMPET_CRASH_AT';

export const noFaults: Faults = { reach: () => undefined };

/** Errors: `invalid-config` for an unknown point, count or word. `act` stands for a signal to oneself. */
export function envFaults(
  env: Readonly<NodeJS.ProcessEnv>,
  act: (signal: 'SIGKILL' | 'SIGSTOP') => void = (signal) => process.kill(process.pid, signal),
): Faults {
  const text = env[CRASH_VARIABLE];
  if (text === undefined || text === '') return noFaults;
  const armed = parseCrashAt(text);
  let left = armed.passage;
  return {
    reach(point) {
      if (point !== armed.point) return;
      left -= 1;
      if (left === 0) act(armed.signal);
    },
  };
}

interface Armed {
  readonly point: CrashPoint;
  readonly passage: number;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

function parseCrashAt(text: string): Armed {
  const [name, count = '1', word = 'kill'] = text.split(':');
  const point = CRASH_POINTS.find((known) => known === name);
  const passage = Number(count);
  const signal = word === 'kill' ? 'SIGKILL' : word === 'stop' ? 'SIGSTOP' : undefined;
  if (point === undefined || !Number.isInteger(passage) || passage < 1 || signal === undefined)
    throw new LimpetError(
      'invalid-config',
      `${CRASH_VARIABLE}='${text}' is not a crash point; expected <point>[:<n>[:kill|stop]] with one of ${CRASH_POINTS.join(', ')}`,
    );
  return { point, passage, signal };
}
