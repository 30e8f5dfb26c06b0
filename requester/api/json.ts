/** JSON of the API: times as exact integers of nanoseconds going out, keys of any case coming in. */

/** As JSON.stringify, and a bigint becomes its digits. Undefined members are left out. */
export function toJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map((item: unknown) => toJson(item)).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${toJson(member)}`).join(',')}}`;
}

/** Milliseconds to the nanoseconds that Bacalhau counts in. */
export function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}

/** A member by its name in any case. */
export function member(value: unknown, name: string): unknown {
  if (value === null || typeof value !== 'object') return undefined;
  return Object.entries(value).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}
