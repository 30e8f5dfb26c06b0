/** A value of a config for a line that says what is wrong with it; `key` is its name. A password is not shown. */
export function shownValue(key: PropertyKey | undefined, value: unknown): string {
  const hidden = (name: unknown): boolean => typeof name === 'string' && /password/i.test(name);
  if (hidden(key)) return '(not shown)';
  return JSON.stringify(value, (name, below: unknown) => (hidden(name) ? '(not shown)' : below));
}
