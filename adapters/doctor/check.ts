/** One look at one thing, with a deadline: a doctor that hangs is none. All looks run side by side and change nothing. */
import { userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { LimpetError } from '../../core/errors.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';

export type Finding = Omit<DoctorCheck, 'name'>;

export interface Check {
  readonly name: string;
  readonly deadlineMs?: number;
  /** What it throws is a failure; missing rights are no failure of the thing. */
  look(this: void): Finding | Promise<Finding>;
}

const DEADLINE_MS = 10_000;

export const fine = (found: string): Finding => ({ result: 'ok', found, fix: '' });
export const warning = (found: string, fix: string): Finding => ({ result: 'warn', found, fix });
export const failure = (found: string, fix: string): Finding => ({ result: 'fail', found, fix });
export const skipped = (found: string, fix = ''): Finding => ({ result: 'skipped', found, fix });

export function runChecks(checks: readonly Check[]): Promise<DoctorCheck[]> {
  return Promise.all(
    checks.map(async (check) => {
      const { result, found, fix } = await within(check);
      return { name: check.name, result, found: oneLine(found), fix };
    }),
  );
}

async function within({ look, deadlineMs = DEADLINE_MS }: Check): Promise<Finding> {
  const done = new AbortController();
  const late = delay(deadlineMs, undefined, { signal: done.signal }).then(
    () => failure(`no answer within ${deadlineMs / 1000} s`, 'see what this host is busy with'),
    () => skipped(''),
  );
  try {
    return await Promise.race([(async () => look())().catch(thrownIs), late]);
  } finally {
    done.abort();
  }
}

function thrownIs(thrown: unknown): Finding {
  if (isDenied(thrown)) return notAllowed(LimpetError.from(thrown).message);
  return failure(LimpetError.from(thrown).message, '');
}

/** It is there and this user may not look. */
export function notAllowed(what: string): Finding {
  const { username } = userInfo();
  return skipped(`${username} may not look: ${what}`, 'run `limpet doctor` as root');
}

export function isDenied(thrown: unknown): boolean {
  return (
    thrown instanceof Error && 'code' in thrown && ['EACCES', 'EPERM'].includes(String(thrown.code))
  );
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]+\s*/g, ' ');
}
