/**
 * The JSON Schemas of task params, as the plugins of this node told them: what admission asks, and what the requester is
 * told. That of a plugin that is away for a moment stays known.
 */
import { MOST_SCHEMA_BYTES } from '../../adapters/schemas/json-schema.ts';
import { SchemaChecks, type SchemaCheck } from '../../adapters/schemas/schema-check.ts';
import { hashOfText } from '../../wire/digests.ts';
import type { ExecutorClient } from '../plugins/port.ts';

export interface ParamsSchema {
  /** Compiled when it is first asked for. */
  readonly check: SchemaCheck;
  /** As it is told, and its hash; missing for one that is too large. */
  readonly told?: { readonly text: string; readonly hash: string };
}

export class ParamsSchemas {
  readonly #checks = new SchemaChecks({ metaschema: false });
  readonly #read = new WeakMap<ExecutorClient, ParamsSchema>();
  readonly #last = new Map<string, ParamsSchema>();

  of(client: ExecutorClient): ParamsSchema {
    const known = this.#read.get(client) ?? this.#take(client.paramsSchema);
    this.#read.set(client, known);
    this.#last.set(client.name, known);
    return known;
  }

  /** `client`: its live plugin, when there is one. */
  named(name: string, client: ExecutorClient | undefined): ParamsSchema | undefined {
    return client === undefined ? this.#last.get(name) : this.of(client);
  }

  #take(schema: unknown): ParamsSchema {
    const text = textOf(schema);
    const checks = this.#checks;
    let check: SchemaCheck | undefined;
    return {
      get check() {
        return (check ??= checks.of(text));
      },
      ...(Buffer.byteLength(text) > MOST_SCHEMA_BYTES
        ? {}
        : { told: { text, hash: hashOfText(text) } }),
    };
  }
}

/** One that is nested beyond what can be written is told as an empty text, which is no JSON. */
function textOf(schema: unknown): string {
  try {
    return JSON.stringify(schema ?? true);
  } catch {
    return '';
  }
}
