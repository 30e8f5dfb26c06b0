/** Task params under the names of the executor's schema: as in Bacalhau, their keys match without regard to case. */
import { z } from 'zod';

const objectSchema = z.object({ properties: z.record(z.string(), z.unknown()) });

/** Keys that the schema does not name stay as they are, for its validation to refuse. */
export function canonicalParams(
  schema: unknown,
  params: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const parsed = objectSchema.safeParse(schema);
  if (!parsed.success) return params;
  const names = new Map(Object.keys(parsed.data.properties).map((n) => [n.toLowerCase(), n]));
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [names.get(key.toLowerCase()) ?? key, value]),
  );
}
