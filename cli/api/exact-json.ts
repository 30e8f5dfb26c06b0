/** JSON whose integers above 2^53 (times in nanoseconds) stay exact: they are read as bigint and written as digits. */

const STRING_OR_BIG = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;
const MARK = '\u0000big:';

export function parseExact(text: string): unknown {
  const marked = text.replaceAll(STRING_OR_BIG, (token) =>
    token.startsWith('"') ? token : `"\\u0000big:${token}"`,
  );
  const parsed: unknown = JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
  return parsed;
}

export function stringifyExact(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_key, member: unknown) => (typeof member === 'bigint' ? `${MARK}${member}` : member),
    2,
  );
  return text.replaceAll(/"\\u0000big:(-?\d+)"/g, '$1');
}
