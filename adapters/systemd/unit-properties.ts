/** What systemd says of a unit. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { UnitRef } from './own-unit.ts';

/** By name; a property that this systemd does not know is missing. */
export type UnitProperties = ReadonlyMap<string, string>;
export type AskUnit = (unit: UnitRef, names: readonly string[]) => Promise<UnitProperties>;

const execute = promisify(execFile);
const CALL_MS = 5_000;

/** Rejects when systemctl is missing, cannot reach systemd, or does not answer in time. */
export const systemctlShow: AskUnit = async ({ name, user }, names) => {
  const manager = user ? ['--user'] : [];
  const { stdout } = await execute(
    'systemctl',
    [...manager, 'show', '--no-pager', `--property=${names.join(',')}`, '--', name],
    { timeout: CALL_MS, killSignal: 'SIGKILL', env: { ...process.env, LC_ALL: 'C' } },
  );
  return propertiesOf(stdout);
};

export function propertiesOf(text: string): UnitProperties {
  const pairs = text.split('\n').flatMap((line): (readonly [string, string])[] => {
    const at = line.indexOf('=');
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : [];
  });
  return new Map(pairs);
}
