/** The environment of a command: what the operator allows, then the job's, then the task's. */
import { LimpetError, type RunSpec } from '../../plugins/sdk/index.ts';
import type { Params } from './settings.ts';

const ALWAYS = ['PATH', 'HOME', 'LANG', 'TZ'];

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
}

export function environmentOf(
  spec: RunSpec<Params>,
  { own, isAllowed }: EnvironmentSources,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(own))
    if (value !== undefined && isAllowed(name)) env[name] = value;
  Object.assign(env, spec.env);
  for (const pair of spec.params.EnvironmentVariables ?? []) {
    const at = pair.indexOf('=');
    env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return env;
}
