/** Of what ajv has against a value, the one thing to tell: in a choice between forms, that of the form that was meant. */
import type { ErrorObject } from 'ajv';
import { isSchemaObject } from './expected-text.ts';

/** They say which form it is, and not what is wrong with one. */
const KIND = ['type', 'const', 'enum'];

export function meantOf(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const last = errors.at(-1);
  if (last === undefined || (last.keyword !== 'anyOf' && last.keyword !== 'oneOf')) return last;
  const inner = errors.slice(0, -1);
  return named(last, inner) ?? furthest(last, inner) ?? last;
}

/** Forms that are told apart by one key with a value of its own in each, as unions are. */
function named(choice: ErrorObject, inner: readonly ErrorObject[]): ErrorObject | undefined {
  const forms: unknown = choice.schema;
  const found: unknown = choice.data;
  if (!Array.isArray(forms) || !isSchemaObject(found)) return undefined;
  const key = tagOf(forms);
  if (key === undefined) return undefined;
  const tags = forms.map((form) => constOf(form, key));
  const index = Object.hasOwn(found, key) ? tags.indexOf(found[key]) : -1;
  if (index >= 0) {
    const own = `${choice.schemaPath}/${index}/`;
    return meantOf(inner.filter(({ schemaPath }) => schemaPath.startsWith(own)));
  }
  const parentSchema = { properties: { [key]: { enum: tags } } };
  if (!Object.hasOwn(found, key))
    return { ...choice, keyword: 'required', params: { missingProperty: key }, parentSchema };
  const instancePath = `${choice.instancePath}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return { ...choice, keyword: 'enum', instancePath, parentSchema: { enum: tags } };
}

/** The first key that has one value in each form, another in each. */
function tagOf(forms: readonly unknown[]): string | undefined {
  const [first] = forms;
  const properties: unknown = isSchemaObject(first) ? first['properties'] : undefined;
  if (!isSchemaObject(properties)) return undefined;
  return Object.keys(properties).find((key) => {
    const values = forms.map((form) => constOf(form, key));
    return !values.includes(undefined) && new Set(values).size === forms.length;
  });
}

function constOf(form: unknown, key: string): unknown {
  const properties = isSchemaObject(form) ? form['properties'] : undefined;
  const field = isSchemaObject(properties) ? properties[key] : undefined;
  return isSchemaObject(field) ? field['const'] : undefined;
}

/** The form that came furthest: into the value, or past its type. */
function furthest(choice: ErrorObject, inner: readonly ErrorObject[]): ErrorObject | undefined {
  const at = choice.instancePath;
  const deeper = inner
    .filter(({ instancePath }) => instancePath.length > at.length)
    .sort((a, b) => b.instancePath.length - a.instancePath.length)[0];
  return deeper ?? inner.find((one) => one.instancePath === at && !KIND.includes(one.keyword));
}
