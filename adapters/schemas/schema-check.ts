/**
 * JSON Schemas of plugins, compiled by ajv and asked. A schema is somebody else's: it is never fetched from anywhere, its
 * code and its regular expressions run under a time limit, and what cannot be used is treated as no schema, with the
 * reason in `problem`. The plugin itself has the last word on what it is given.
 */
import { Ajv, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Path } from '../../core/job-spec-error.ts';
import { faultText, oneLine } from './fault-text.ts';
import { readSchema, type JsonSchema, type ReadSchema } from './json-schema.ts';
import { TimeLimit } from './time-limit.ts';

export interface SchemaCheck {
  /** `true` when it cannot be used. */
  readonly schema: JsonSchema;
  /** Why it is not used; undefined while it is. */
  readonly problem: string | undefined;
  /** What is wrong with the value, in one line that begins with the path; undefined when nothing is known to be. */
  fault(value: unknown, at: Path): string | undefined;
}

export interface SchemaTimes {
  readonly compileMs: number;
  readonly checkMs: number;
  /** After a schema that took too long, no new one is compiled for this long. */
  readonly restMs: number;
}

export interface SchemaOptions extends SchemaTimes {
  /** Compares each with the metaschema of its draft first, which takes as long as the first ten of them. */
  readonly metaschema: boolean;
}

/** Generous: a busy machine is slow too, and an ordinary schema takes a few ms. */
const DEFAULTS: SchemaOptions = {
  ...{ compileMs: 2_000, checkMs: 500, restMs: 60_000 },
  metaschema: true,
};
const MOST_STOPS = 3;
const MOST_KEPT = 256;

const OPTIONS: Options = {
  strict: false,
  logger: false,
  messages: false,
  verbose: true,
  validateFormats: false,
  // Metaschemas take longer than most schemas: they are compiled once, not for each.
  meta: false,
  validateSchema: false,
  inlineRefs: false,
  ownProperties: true,
  code: { optimize: false },
};

const META: Options = {
  strict: false,
  logger: false,
  validateFormats: false,
  code: { optimize: false },
};

/** Keeps what it has compiled, by text; the least recently used goes. */
export class SchemaChecks {
  readonly #limit = new TimeLimit();
  readonly #kept = new Map<string, SchemaCheck>();
  readonly #options: SchemaOptions;
  readonly #uptime: () => number;
  readonly #meta: { '2020-12'?: Ajv2020; '07'?: Ajv } = {};
  #restUntil = -Infinity;

  constructor(
    options: Partial<SchemaOptions> = {},
    uptime: () => number = () => performance.now(),
  ) {
    this.#options = { ...DEFAULTS, ...options };
    this.#uptime = uptime;
  }

  /** Never throws, and answers within the time limit. */
  of(text: string): SchemaCheck {
    const known = this.#kept.get(text);
    if (known === undefined && this.#uptime() < this.#restUntil) return RESTING;
    const check = known ?? this.#make(text);
    this.#kept.delete(text);
    this.#kept.set(text, check);
    for (const oldest of this.#kept.keys())
      if (this.#kept.size > MOST_KEPT) this.#kept.delete(oldest);
    return check;
  }

  #make(text: string): SchemaCheck {
    const { compileMs, checkMs, restMs, metaschema } = this.#options;
    try {
      const read = readSchema(text);
      const compiled = this.#limit.run(compileMs, () => {
        if (metaschema) this.#checkKeywords(read);
        return compile(read);
      });
      if (compiled !== undefined)
        return new CompiledSchema(read.schema, compiled.value, { limit: this.#limit, checkMs });
      // What was stopped may be half made.
      delete this.#meta[read.draft];
      this.#restUntil = this.#uptime() + restMs;
      return unusable(`it takes longer than ${compileMs} ms to be read`);
    } catch (thrown) {
      const isEndless = thrown instanceof RangeError;
      return unusable(isEndless ? ENDLESS : oneLine(messageOf(thrown)));
    }
  }

  #checkKeywords({ draft, schema }: ReadSchema): void {
    const ajv =
      draft === '07'
        ? (this.#meta['07'] ??= new Ajv(META))
        : (this.#meta['2020-12'] ??= new Ajv2020(META));
    if (ajv.validateSchema(schema) === true) return;
    const [error] = ajv.errors ?? [];
    const where = error?.instancePath ?? '';
    throw new LimpetError('refused', `${where === '' ? 'it' : `its ${where}`} is no JSON Schema`);
  }
}

const ENDLESS = 'it refers to itself without end, or is nested too deep';
const RESTING = unusable('another schema has just taken too long; asked again in a minute');

function unusable(problem: string): SchemaCheck {
  return { schema: true, problem, fault: () => undefined };
}

function compile({ draft, schema }: ReadSchema): ValidateFunction {
  const ajv = draft === '07' ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS);
  return ajv.compile(schema);
}

class CompiledSchema implements SchemaCheck {
  readonly schema: JsonSchema;
  readonly #validate: ValidateFunction;
  readonly #by: { readonly limit: TimeLimit; readonly checkMs: number };
  #stops = 0;
  #problem: string | undefined;

  constructor(
    schema: JsonSchema,
    validate: ValidateFunction,
    by: { readonly limit: TimeLimit; readonly checkMs: number },
  ) {
    this.schema = schema;
    this.#validate = validate;
    this.#by = by;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  fault(value: unknown, at: Path): string | undefined {
    if (this.#problem !== undefined) return undefined;
    const { limit, checkMs } = this.#by;
    try {
      const looked = limit.run(checkMs, () => this.#look(value, at));
      if (looked !== undefined) return looked.value;
      this.#failed(`checking against it takes longer than ${checkMs} ms`);
    } catch {
      // It refers to itself without end, or the value is nested too deep.
      this.#failed('checking against it does not come to an end');
    }
    return undefined;
  }

  /** The value may have its part in it, so one such value does not end the use of the schema. */
  #failed(problem: string): void {
    this.#stops += 1;
    if (this.#stops >= MOST_STOPS) this.#problem = problem;
  }

  #look(value: unknown, at: Path): string | undefined {
    if (this.#validate(value)) return undefined;
    return faultText(this.#validate.errors ?? [], value, at);
  }
}
