/** The JSON Schemas that plugins have told this agent, also those that then did not take their config. */
export interface ToldSchema {
  readonly config: unknown;
  readonly params: unknown;
}

export class ToldSchemas {
  readonly #told = new Map<string, ToldSchema>();

  learn(
    name: string,
    answer: { readonly configSchemaJson: string; readonly paramsSchemaJson: string },
  ): void {
    const { configSchemaJson, paramsSchemaJson } = answer;
    this.#told.set(name, { config: parsed(configSchemaJson), params: parsed(paramsSchemaJson) });
  }

  of(name: string): ToldSchema | undefined {
    return this.#told.get(name);
  }
}

/** Whatever it says is for people to see: what is no JSON is shown as text. */
function parsed(json: string): unknown {
  try {
    return json === '' ? {} : JSON.parse(json);
  } catch {
    return json;
  }
}
