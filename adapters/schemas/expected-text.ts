/** What a JSON Schema, or one keyword of it, asks for: a few words for people. */
import type { ErrorObject } from 'ajv';

const MOST_LISTED = 20;
/** Where a schema says nothing that could be told in a word. */
const OTHER = 'another value';

export function isSchemaObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(words: readonly string[]): string {
  const shown = words.slice(0, MOST_LISTED).join(', ');
  return words.length > MOST_LISTED ? `${shown} and ${words.length - MOST_LISTED} more` : shown;
}

/** `schema` is the one that was not kept; with `error`, what of it was not. Begins with `; expected`, or is ''. */
export function expectedOf(schema: unknown, error?: ErrorObject): string {
  const limit = error === undefined ? undefined : limitOf(error);
  const kind = limit ?? formOf(schema);
  const about = isSchemaObject(schema) ? schema['description'] : undefined;
  const hint = typeof about === 'string' && about !== '' ? ` (${about.replace(/\.$/, '')})` : '';
  return kind === OTHER && hint === '' ? '' : `; expected ${kind}${hint}`;
}

/** Nothing is expected behind the items that are described. */
const TOO_LONG = ['items', 'additionalItems', 'unevaluatedItems'];

/** Keywords that say more than the type; undefined for those whose schema is best told as a whole. */
function limitOf({ keyword, params }: ErrorObject): string | undefined {
  const limit = String(params['limit']);
  switch (TOO_LONG.includes(keyword) ? 'maxItems' : keyword) {
    case 'pattern':
      return `a text that matches ${String(params['pattern'])}`;
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return `a number ${String(params['comparison'])} ${limit}`;
    case 'multipleOf':
      return `a multiple of ${String(params['multipleOf'])}`;
    case 'minLength':
      return limit === '1' ? 'a text that is not empty' : `a text of ${limit} characters at least`;
    case 'maxLength':
      return `a text of ${limit} characters at most`;
    case 'minItems':
      return limit === '1' ? 'a list that is not empty' : `a list of ${limit} at least`;
    case 'maxItems':
      return limit === '0' ? 'an empty list' : `a list of ${limit} at most`;
    case 'uniqueItems':
      return 'a list in which nothing is there twice';
    case 'minProperties':
      return `a mapping with ${limit} keys at least`;
    case 'maxProperties':
      return `a mapping with ${limit} keys at most`;
    case 'false schema':
      return 'nothing here';
    default:
      return undefined;
  }
}

function formOf(schema: unknown): string {
  if (!isSchemaObject(schema)) return OTHER;
  const { type, anyOf, oneOf, items } = schema;
  if (Array.isArray(schema['enum']))
    return `one of ${listOf(schema['enum'].map((one) => JSON.stringify(one)))}`;
  if ('const' in schema) return JSON.stringify(schema['const']);
  const forms = Array.isArray(anyOf) ? anyOf : oneOf;
  if (Array.isArray(forms) && type === undefined)
    return [...new Set(forms.map((form) => formOf(form)))].join(' or ');
  if (Array.isArray(type)) return type.map((one) => typeText(one)).join(' or ');
  if (type === 'array' && isSchemaObject(items) && typeof items['type'] === 'string')
    return `a list, each of it ${typeText(items['type'])}`;
  return typeText(type);
}

const TYPES = new Map<unknown, string>([
  ['string', 'a text'],
  ['integer', 'a whole number'],
  ['number', 'a number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'a mapping'],
  ['null', 'null'],
]);

function typeText(type: unknown): string {
  return TYPES.get(type) ?? OTHER;
}
