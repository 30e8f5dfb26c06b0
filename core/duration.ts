/** Durations as people write them: a number and `ms`, `s`, `m` or `h`. */
import { LimpetError } from './errors.ts';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `1500ms`, `1.5s`, `3m`, `12h` to whole milliseconds. Errors: `invalid-argument`. */
export function parseDuration(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text) ?? [];
  const factor = UNIT_MS[unit];
  if (amount === undefined || factor === undefined)
    throw new LimpetError(
      'invalid-argument',
      `'${text}' is no duration; expected 10s, 3m or 500ms`,
    );
  return Math.round(Number(amount) * factor);
}
