/**
 * The environment of a command: what the operator allows, then the job's, then the task's, then our marks. Its holder,
 * which may run as root where the command does not, carries it under other names (`carried`).
 */
import { LimpetError, type RunSpec } from '../../plugins/sdk/index.ts';
import type { Params } from './settings.ts';

const ALWAYS = ['PATH', 'HOME', 'LANG', 'TZ'];
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Anchored: `AWS_.*` allows AWS_REGION and not MY_AWS_REGION. Errors: `invalid-config`. */
export function allowedNames(patterns: readonly string[]): (name: string) => boolean {
  const compiled = patterns.map((pattern, at) => {
    try {
      return new RegExp(`^(?:${pattern})$`);
    } catch (thrown) {
      throw new LimpetError(
        'invalid-config',
        `envAllow.${at}: '${pattern}' is not a regular expression`,
        { cause: thrown },
      );
    }
  });
  return (name) => ALWAYS.includes(name) || compiled.some((pattern) => pattern.test(name));
}

export interface EnvironmentSources {
  /** The plugin's own. */
  readonly own: Readonly<Record<string, string | undefined>>;
  readonly isAllowed: (name: string) => boolean;
  readonly marks: Readonly<Record<string, string>>;
}

export function environmentOf(
  spec: RunSpec<Params>,
  { own, isAllowed, marks }: EnvironmentSources,
): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const [name, value] of Object.entries(own))
    if (value !== undefined && isAllowed(name)) env[name] = value;
  Object.assign(env, spec.env);
  for (const pair of spec.params.EnvironmentVariables ?? []) {
    const at = pair.indexOf('=');
    env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return { ...env, ...marks };
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
