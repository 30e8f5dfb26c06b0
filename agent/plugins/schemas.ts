/** The JSON Schemas that plugins have told this agent, also those that then did not take their config. */
import { SchemaChecks } from '../../adapters/schemas/schema-check.ts';

/** As the plugin answers; a text that is empty is no schema. */
export interface SchemaTexts {
  readonly configSchemaJson: string;
  readonly paramsSchemaJson: string;
}

export interface ToldSchema {
  readonly config: unknown;
  readonly params: unknown;
}

export class ToldSchemas {
  readonly #told = new Map<string, SchemaTexts>();
  readonly #checks = new SchemaChecks();

  learn(name: string, { configSchemaJson, paramsSchemaJson }: SchemaTexts): void {
    this.#told.set(name, { configSchemaJson, paramsSchemaJson });
  }

  of(name: string): ToldSchema | undefined {
    const told = this.#told.get(name);
    if (told === undefined) return undefined;
    return { config: parsed(told.configSchemaJson), params: parsed(told.paramsSchemaJson) };
  }

  /** See `schemaProblems`. */
  problems(name: string): readonly string[] {
    const told = this.#told.get(name);
    return told === undefined ? [] : schemaProblems(told, this.#checks);
  }
}

/** Why nothing is checked by a schema before the plugin itself, a sentence each. */
export function schemaProblems(texts: SchemaTexts, checks: SchemaChecks): readonly string[] {
  const { configSchemaJson, paramsSchemaJson } = texts;
  const problem = (what: string, json: string): string[] => {
    const why = json === '' ? undefined : checks.of(json).problem;
    return why === undefined ? [] : [`its schema of ${what} is not used: ${why}`];
  };
  return [...problem('config', configSchemaJson), ...problem('task params', paramsSchemaJson)];
}

/** Whatever it says is for people to see: what is no JSON is shown as text. */
function parsed(json: string): unknown {
  try {
    return json === '' ? {} : JSON.parse(json);
  } catch {
    return json;
  }
}
