/**
 * The environment of a command, and how its holder carries it: that may run as root where the command does not, so the
 * job's variables lie under other names until the command itself is started.
 */
import type { RunSpec } from '../types.ts';

const OWN = ['PATH', 'HOME', 'LANG', 'TZ'];
/** Of the holder too. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What every command has: of the plugin's own variables four, then the job's. */
export function commonEnvironment(
  spec: RunSpec,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const name of OWN) if (own[name] !== undefined) env[name] = own[name];
  return { ...env, ...spec.env };
}

const CARRIED = 'LIMPET_CARRIED_';
/** What the holder's last shell evaluates just before it becomes the command. */
const TAKE = 'LIMPET_TAKE';
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Shells keep these themselves; some of them cannot be set. */
const OF_THE_SHELL = ['UID', 'EUID', 'PPID', 'BASHOPTS', 'SHELLOPTS', 'BASH_VERSINFO'];

/** The environment of the holder of a command with this one. Marks keep their names: they are read in /proc. */
export function carried(
  env: Readonly<Record<string, string>>,
  marks: Readonly<Record<string, string>>,
): Record<string, string> {
  const names = Object.keys(env).filter(
    (name) => NAME.test(name) && !OF_THE_SHELL.includes(name) && !Object.hasOwn(marks, name),
  );
  const exports = names.map((name) => `export ${name}="$${CARRIED}${name}"`);
  const unset = ['unset', ...names.map((name) => CARRIED + name), TAKE].join(' ');
  return {
    PATH: DEFAULT_PATH,
    ...Object.fromEntries(names.map((name) => [CARRIED + name, env[name] ?? ''])),
    [TAKE]: [...exports, unset].join('; '),
    ...marks,
  };
}
