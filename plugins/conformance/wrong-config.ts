/** A config that the plugin's own schema forbids. */
import { isObject } from './samples.ts';
import { NotApplicable } from './types.ts';

const UNKNOWN = 'noSuchSetting';
/** One of the two is no value of whatever type a setting has. */
const WRONG_VALUES: readonly (readonly [unknown, string])[] = [
  [{ noSuchSetting: true }, 'object'],
  [7, 'number'],
];

/** A known setting of another type; without any an unknown one, where those are forbidden. */
export function wrongConfig(
  schemaJson: string,
  config: unknown,
): { readonly config: unknown; readonly path: string } {
  const schema: unknown = JSON.parse(schemaJson);
  const right = isObject(config) ? config : {};
  if (isObject(schema)) {
    const properties = isObject(schema['properties']) ? schema['properties'] : {};
    for (const [path, setting] of Object.entries(properties)) {
      const type = isObject(setting) ? setting['type'] : undefined;
      if (typeof type !== 'string') continue;
      const wrong = WRONG_VALUES.find(
        ([, of]) => of !== type && !(of === 'number' && type === 'integer'),
      );
      if (wrong !== undefined) return { config: { ...right, [path]: wrong[0] }, path };
    }
    if (schema['additionalProperties'] === false)
      return { config: { ...right, [UNKNOWN]: 1 }, path: UNKNOWN };
  }
  throw new NotApplicable('its config schema forbids nothing');
}
