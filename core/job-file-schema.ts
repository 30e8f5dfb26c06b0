/**
 * The JSON Schema of a whole job file, for editors: made of the schema that parses jobs, with the params of engines in
 * place. Editors compare keys by their case, jobs do not. Rules across values are not in it.
 */
import { z } from 'zod';
import { jobSchema } from './job-spec-schema.ts';

type Json = Readonly<Record<string, unknown>>;

export interface EngineParams {
  readonly type: string;
  /** JSON Schemas of its params; one of several is enough. */
  readonly schemas: readonly unknown[];
}

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

export function jobFileSchema(engines: readonly EngineParams[]): Json {
  const bare = z.toJSONSchema(jobSchema, { io: 'input', unrepresentable: 'any' });
  const root = toMapping(closed(bare));
  const definitions = engines.flatMap(({ type, schemas }) =>
    schemas.map((schema, i) => [nameOf(type, i), within(schema, nameOf(type, i))] as const),
  );
  const properties = toMapping(root['properties']);
  const whole = {
    ...root,
    $schema: DRAFT,
    title: 'Limpet job',
    properties: {
      $schema: { type: 'string', description: 'Where this schema is, for editors.' },
      ...properties,
      Disconnect: orKeep(toMapping(properties['Disconnect'])),
    },
  };
  if (definitions.length === 0) return whole;
  return {
    ...whole,
    allOf: engines.map((engine) => rule(engine)),
    $defs: Object.fromEntries(definitions),
  };
}

/** The short form of an empty mapping. */
function orKeep({ description, ...mapping }: Json): Json {
  return { description, anyOf: [{ const: 'keep' }, mapping] };
}

/** When the engine of the task is of this type, its params are as this says. */
function rule({ type, schemas }: EngineParams): Json {
  const forms = schemas.map((_, i) => ({ $ref: `#/$defs/${nameOf(type, i)}` }));
  const params = forms.length === 1 ? forms[0] : { anyOf: forms };
  const ofTask = (engine: Json): Json => ({
    properties: { Tasks: { prefixItems: [{ properties: { Engine: engine } }] } },
  });
  return {
    if: ofTask({ properties: { Type: { const: type } }, required: ['Type'] }),
    then: ofTask({
      properties: { Params: params },
      ...(schemas.every((schema) => asksForMore(schema)) ? { required: ['Params'] } : {}),
    }),
  };
}

/** Than an empty mapping, which missing params are. */
function asksForMore(schema: unknown): boolean {
  const { required } = toMapping(schema);
  return Array.isArray(required) && required.length > 0;
}

function nameOf(type: string, index: number): string {
  return `${type}-params${index === 0 ? '' : `-${index + 1}`}`;
}

/** A key that no level knows is an error in a job file. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map((item) => closed(item));
  if (typeof node !== 'object' || node === null) return node;
  const members = Object.entries(node).map(([key, value]) => [key, closed(value)]);
  const isOpen = 'properties' in node && !('additionalProperties' in node);
  return Object.fromEntries(isOpen ? [...members, ['additionalProperties', false]] : members);
}

/** Keywords with data in them, in which `$ref` is no reference. */
const DATA = ['const', 'enum', 'default', 'examples'];

/** The same schema as a definition of another: what it says of itself by `#` is there now. */
function within(schema: unknown, name: string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => within(item, name));
  if (typeof schema !== 'object' || schema === null) return schema;
  const members = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
    if (key === '$schema' || DATA.includes(key)) return key === '$schema' ? [] : [[key, value]];
    const isOwn = key === '$ref' && typeof value === 'string' && /^#(\/|$)/.test(value);
    return [[key, isOwn ? `#/$defs/${name}${value.slice(1)}` : within(value, name)]];
  });
  return Object.fromEntries(members);
}

function toMapping(value: unknown): Json {
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {};
}
