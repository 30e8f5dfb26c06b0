/** Names of plugins: what they look like, and that each is there once. */
import { LimpetError } from '../../core/errors.ts';
import { PLUGIN_NAME } from '../../core/plugin-name.ts';
import type { PluginSpec } from './port.ts';

export function isPluginName(name: string): boolean {
  return PLUGIN_NAME.test(name);
}

export const EXPECTED_NAME = 'a letter, then lower-case letters, digits and dashes';

/** Errors: `invalid-config`. */
export function checkNames(specs: readonly PluginSpec[]): void {
  const seen = new Set<string>();
  for (const { name } of specs) {
    if (!isPluginName(name))
      throw new LimpetError(
        'invalid-config',
        `plugin name '${name}' is not valid; expected ${EXPECTED_NAME}`,
      );
    if (seen.has(name))
      throw new LimpetError('invalid-config', `plugin '${name}' is configured twice; give it once`);
    seen.add(name);
  }
}
