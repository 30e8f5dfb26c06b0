/** The schemas of config and params: an agent validates with them, and people read them. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { messageOf } from '../../core/errors.ts';
import { demand } from './expect.ts';
import { isObject } from './samples.ts';
import { Violation, type Rule } from './types.ts';

function compile(what: string, text: string): ValidateFunction {
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (thrown) {
    throw new Violation(`JSON as the ${what} schema`, messageOf(thrown));
  }
  demand(isObject(schema), `a JSON Schema of the ${what} that is an object`, text.slice(0, 80));
  try {
    // Drafts older than 2020-12 have the same words for what is used here.
    const { $schema: _, ...plain } = schema;
    return new Ajv2020({ strict: false, validateFormats: false }).compile(plain);
  } catch (thrown) {
    throw new Violation(`a JSON Schema of the ${what}`, messageOf(thrown));
  }
}

function complaint({ errors }: ValidateFunction): string {
  const [error] = errors ?? [];
  return `${error?.instancePath ?? ''} ${error?.message ?? 'refused'}`.trim();
}

export const schemas: Rule = {
  id: 'handshake/schemas',
  title: 'ConfigSchema answers JSON Schemas, and config and samples are as they say',
  shares: true,
  async check({ plugin, config, samples }) {
    const answer = await plugin.calls.configSchema({});
    const ofConfig = compile('config', answer.configSchemaJson);
    demand(ofConfig(config), 'a schema that takes its config', complaint(ofConfig));
    const ofParams = compile('params', answer.paramsSchemaJson);
    for (const [name, params] of Object.entries(samples))
      if (name !== 'invalid')
        demand(ofParams(params), `a schema that takes sample '${name}'`, complaint(ofParams));
  },
};

export const invalidParams: Rule = {
  id: 'handshake/schema-refuses',
  title: 'The schema of the params refuses wrong ones',
  needs: ['invalid'],
  shares: true,
  async check({ plugin, samples }) {
    const { paramsSchemaJson } = await plugin.calls.configSchema({});
    const ofParams = compile('params', paramsSchemaJson);
    demand(!ofParams(samples.invalid), "a schema that refuses sample 'invalid'", 'it takes it');
  },
};
