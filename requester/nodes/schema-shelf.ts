/**
 * JSON Schemas of task params as nodes told them, by their hash: the same one of many nodes is kept once, those that no
 * node names go. They are somebody else's: bounded here, and used under the limits of adapters/schemas. What a node has
 * not told, or what cannot be used, is no reason to refuse anything.
 */
import type { Logger } from '../../adapters/log/port.ts';
import { MOST_SCHEMA_BYTES } from '../../adapters/schemas/json-schema.ts';
import { paramsFault } from '../../adapters/schemas/params-fault.ts';
import { SchemaChecks, type SchemaCheck } from '../../adapters/schemas/schema-check.ts';
import type { Store } from '../../adapters/store/port.ts';
import type { SpecConfig } from '../../core/job.ts';
import { hashOfText } from '../../wire/digests.ts';
import type { ExecutorInfo } from '../../wire/messages.ts';
import type { Draft } from '../state/draft.ts';
import { SCHEMA_PREFIX, schemaKey } from '../state/keys.ts';
import type { NodeRecord } from '../state/records.ts';

/** Distinct ones; nodes beyond that count as having told none. */
const MOST_SCHEMAS = 256;

export interface Verdict {
  /** The executor has told a schema, and it can be used. */
  readonly told: boolean;
  /** What it has against the params, one line. */
  readonly fault?: string;
}

export class SchemaShelf {
  readonly #texts = new Map<string, string>();
  readonly #checks = new SchemaChecks();
  /** Of engines of jobs, by the hash of the schema. */
  readonly #verdicts = new WeakMap<SpecConfig, Map<string, Verdict>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  static async load(store: Store, log: Logger): Promise<SchemaShelf> {
    const shelf = new SchemaShelf(log);
    const { entries, corrupt } = await store.scan({ prefix: SCHEMA_PREFIX });
    // A node tells it again with its next handshake.
    for (const record of corrupt) await store.quarantine(record);
    for (const { value } of entries)
      if (typeof value === 'string') shelf.#texts.set(hashOfText(value), value);
    return shelf;
  }

  /** An executor that is away for a moment, as after a start of its agent, keeps the schema it was known with. */
  settled(known: readonly ExecutorInfo[], told: readonly ExecutorInfo[]): ExecutorInfo[] {
    return told.map((now) => {
      if (now.paramsSchema !== undefined || now.schemaProblem !== undefined) return now;
      const before = known.find(({ name }) => name === now.name)?.paramsSchema;
      return now.health === 'healthy' || before === undefined
        ? now
        : { ...now, paramsSchema: before };
    });
  }

  /** Texts that a node sent along, in the turn that stores what it says of its executors. */
  keep(draft: Draft, texts: readonly string[]): void {
    const named = namedBy(draft.nodes());
    for (const text of texts) {
      const hash = hashOfText(text);
      if (!named.has(hash) || Buffer.byteLength(text) > MOST_SCHEMA_BYTES) continue;
      if (!this.#texts.has(hash) && this.#texts.size >= MOST_SCHEMAS) {
        this.#log.warn('schema.not-kept', { hash, kept: MOST_SCHEMAS });
        continue;
      }
      this.#texts.set(hash, text);
      draft.op({ type: 'put', key: schemaKey(hash), value: text });
    }
    for (const hash of this.#texts.keys()) {
      if (named.has(hash)) continue;
      this.#texts.delete(hash);
      draft.op({ type: 'del', key: schemaKey(hash) });
    }
  }

  /** undefined: the executor has told none. */
  of({
    paramsSchema,
  }: ExecutorInfo): { readonly text: string; readonly check: SchemaCheck } | undefined {
    const text = paramsSchema === undefined ? undefined : this.#texts.get(paramsSchema);
    return text === undefined ? undefined : { text, check: this.#checks.of(text) };
  }

  judge(executor: ExecutorInfo, engine: SpecConfig): Verdict {
    const { paramsSchema: hash = '' } = executor;
    const known = this.#verdicts.get(engine)?.get(hash);
    if (known !== undefined) return known;
    const schema = this.of(executor);
    if (schema === undefined || schema.check.problem !== undefined) return { told: false };
    const fault = paramsFault(schema.check, engine.Params ?? {});
    const verdict = fault === undefined ? { told: true } : { told: true, fault };
    const verdicts = this.#verdicts.get(engine) ?? new Map<string, Verdict>();
    this.#verdicts.set(engine, verdicts.set(hash, verdict));
    return verdict;
  }
}

function namedBy(nodes: Iterable<NodeRecord>): ReadonlySet<string> {
  const named = new Set<string>();
  for (const { info } of nodes)
    for (const { paramsSchema } of info.executors)
      if (paramsSchema !== undefined) named.add(paramsSchema);
  return named;
}
