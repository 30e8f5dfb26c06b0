/** Task params under the names of the executor's schema: as in Bacalhau, their keys match without regard to case. */
import { z } from 'zod';

const objectSchema = z.object({ properties: z.record(z.string(), z.unknown()) });

/** Keys that the schema does not name stay as they are, for its validation to refuse. */
export function canonicalParams(
  schema: unknown,
  params: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const names = canonicalNames(schema);
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [names.get(key.toLowerCase()) ?? key, value]),
  );
}

/** Two keys that are the same one, as they are written; only one of them could reach the executor. */
export function doubledParam(
  schema: unknown,
  params: Readonly<Record<string, unknown>>,
): readonly [string, string] | undefined {
  const names = canonicalNames(schema);
  const seen = new Map<string, string>();
  for (const key of Object.keys(params)) {
    const name = names.get(key.toLowerCase()) ?? key;
    const before = seen.get(name);
    if (before !== undefined) return [before, key];
    seen.set(name, key);
  }
  return undefined;
}

function canonicalNames(schema: unknown): ReadonlyMap<string, string> {
  const parsed = objectSchema.safeParse(schema);
  if (!parsed.success) return new Map();
  return new Map(Object.keys(parsed.data.properties).map((name) => [name.toLowerCase(), name]));
}
