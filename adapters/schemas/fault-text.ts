/** What ajv found, in our words: where, what was found, what is expected, and the word that was probably meant. */
import type { ErrorObject } from 'ajv';
import { nearestWord } from '../../core/edit-distance.ts';
import { pathText, valueText, type Path } from '../../core/job-spec-error.ts';
import { meantOf } from './chosen-form.ts';
import { expectedOf, isSchemaObject, listOf } from './expected-text.ts';

const MOST_CHARS = 500;
/** Of values under such keys nothing is shown. */
const SECRET = /password|passwd|secret|token|credential|private|apikey|api_key/i;

/** Without control characters, and no longer than is read. */
export function oneLine(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return plain.length > MOST_CHARS ? `${plain.slice(0, MOST_CHARS - 3)}...` : plain;
}

/** `value` is what was validated, `at` its path. */
export function faultText(errors: readonly ErrorObject[], value: unknown, at: Path): string {
  const error = meantOf(errors);
  if (error === undefined) return `${pathText(at)}: not valid`;
  const { path, found } = locate(error.instancePath, value);
  return oneLine(sentence(error, [...at, ...path], found));
}

interface Located {
  readonly path: Path;
  readonly found: unknown;
}

/** A JSON pointer as a path; digits are an index where there is a list. */
function locate(pointer: string, root: unknown): Located {
  const path: PropertyKey[] = [];
  let at = root;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(at) ? Number(key) : key);
    at = member(at, key);
  }
  return { path, found: at };
}

function member(value: unknown, key: string): unknown {
  if (value === null || typeof value !== 'object') return undefined;
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function sentence(error: ErrorObject, path: Path, found: unknown): string {
  const { keyword, params, parentSchema } = error;
  const unknownKey = unknownKeyOf(error, found);
  if (unknownKey !== undefined) return unknownText([...path, unknownKey], error);
  if (keyword === 'required' || keyword === 'dependentRequired' || keyword === 'dependencies') {
    const name = textOf(params['missingProperty']);
    const known = isSchemaObject(parentSchema) ? member(parentSchema['properties'], name) : {};
    const why = keyword === 'required' ? '' : `, and ${textOf(params['property'])} needs it`;
    return `${pathText([...path, name])}: missing${why}${expectedOf(known)}`;
  }
  if (keyword === 'propertyNames')
    return `${pathText([...path, textOf(params['propertyName'])])}: not a name that is allowed here`;
  const isSecret = path.some((key) => typeof key === 'string' && SECRET.test(key));
  const shown = isSecret ? 'a value that is not shown' : valueText(found);
  const expected = expectedOf(parentSchema, error);
  return `${pathText(path)}: found ${shown}${expected === '' ? ', which is not allowed here' : expected}`;
}

/** A missing key is often one that is there under a wrong name, so this is told first. */
function unknownKeyOf(error: ErrorObject, found: unknown): string | undefined {
  const { keyword, params } = error;
  const parentSchema: unknown = error.parentSchema;
  if (keyword === 'additionalProperties') return textOf(params['additionalProperty']);
  if (keyword === 'unevaluatedProperties') return textOf(params['unevaluatedProperty']);
  if (keyword !== 'required' || !isSchemaObject(parentSchema)) return undefined;
  const schema = new Map<string, unknown>(Object.entries(parentSchema));
  const properties = schema.get('properties');
  if (schema.get('additionalProperties') !== false || schema.has('patternProperties'))
    return undefined;
  if (typeof found !== 'object' || found === null) return undefined;
  return Object.keys(found).find(
    (key) => !isSchemaObject(properties) || !Object.hasOwn(properties, key),
  );
}

function unknownText(path: Path, { parentSchema }: ErrorObject): string {
  const properties = member(parentSchema, 'properties');
  const known = isSchemaObject(properties) ? Object.keys(properties) : [];
  if (known.length === 0) return `${pathText(path)}: unknown; no key is expected here`;
  const near = nearestWord(String(path.at(-1)), known);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return `${pathText(path)}: unknown; expected one of ${listOf(known)}${hint}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
