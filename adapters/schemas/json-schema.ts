/**
 * A JSON Schema that came from a plugin or a node, read with suspicion: bounded in size and depth, of a draft that is
 * known here, without what would run on its own (`$async`) or touch prototypes.
 */
import { LimpetError } from '../../core/errors.ts';

export type JsonSchema = boolean | Readonly<Record<string, unknown>>;

export const MOST_SCHEMA_BYTES = 65_536;
const MOST_DEPTH = 64;
const DRAFT_2020 = /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;
const DRAFT_07 = /^https?:\/\/json-schema\.org\/draft-07\/schema#?$/;
const REFUSED_KEYS = ['__proto__', '$async'];

export interface ReadSchema {
  readonly draft: '2020-12' | '07';
  /** Without `$schema`. */
  readonly schema: JsonSchema;
}

/** Errors: `refused`, one line that says why it cannot be used. */
export function readSchema(text: string): ReadSchema {
  const bytes = Buffer.byteLength(text);
  if (bytes > MOST_SCHEMA_BYTES)
    throw unusable(`it has ${bytes} bytes; expected ${MOST_SCHEMA_BYTES} at most`);
  const parsed = parse(text);
  if (typeof parsed === 'boolean') return { draft: '2020-12', schema: parsed };
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed))
    throw unusable('it is no JSON object');
  checkShape(parsed);
  const { $schema, ...schema } = Object.fromEntries(Object.entries(parsed));
  return { draft: draftOf($schema), schema };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LimpetError('refused', 'it is no JSON', { cause });
  }
}

function draftOf(named: unknown): ReadSchema['draft'] {
  if (named === undefined) return '2020-12';
  if (typeof named === 'string' && DRAFT_2020.test(named)) return '2020-12';
  if (typeof named === 'string' && DRAFT_07.test(named)) return '07';
  throw unusable('its $schema is not known here; expected draft 2020-12 or draft-07');
}

/** Level by level, so that no depth is too much for the look itself. */
function checkShape(root: object): void {
  let level: object[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MOST_DEPTH) throw unusable(`it is nested deeper than ${MOST_DEPTH} levels`);
    const next: object[] = [];
    for (const node of level)
      for (const [key, value] of Object.entries(node)) {
        if (REFUSED_KEYS.includes(key)) throw unusable(`it has a key ${key}`);
        if (isObject(value)) next.push(value);
      }
    level = next;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function unusable(why: string): LimpetError {
  return new LimpetError('refused', why);
}
