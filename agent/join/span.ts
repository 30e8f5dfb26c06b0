/** A length of time in words for people: its greatest unit. */
const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const;

export function describeMs(ms: number): string {
  for (const [size, unit] of UNITS) if (ms >= 2 * size) return `${Math.floor(ms / size)} ${unit}`;
  return `${Math.max(0, Math.floor(ms / 1000))} s`;
}
