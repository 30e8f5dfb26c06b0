/** JSON with sorted keys and no blanks, so that equal values have equal text (and hash). */
import { LimpetError } from './errors.ts';

/** Keys with the value undefined are left out, as in JSON. Throws `invalid-argument` on what JSON cannot hold. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string')
    return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value))
    return `[${value.map((item: unknown) => canonicalJson(item)).join(',')}]`;
  if (typeof value === 'object') return `{${members(value).join(',')}}`;
  throw new LimpetError(
    'invalid-argument',
    `JSON cannot hold ${typeof value === 'number' ? value.toString() : `a ${typeof value}`}`,
  );
}

function members(value: object): string[] {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
}
