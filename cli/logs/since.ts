/** `--since`: a time, or how long ago. */
import { InvalidArgumentError } from 'commander';

const DURATION = /^(?:\d{1,9}[smhd])+$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 };
/** RFC 3339. */
const TIME = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

/** Ms since the epoch. Errors: a usage error. */
export function parseSince(text: string, nowMs: number): number {
  if (DURATION.test(text)) return Math.max(0, nowMs - durationMs(text));
  const time = timeMs(text);
  if (time !== undefined) return time;
  throw new InvalidArgumentError(
    'Expected how long ago, such as 10m, 2h or 1d, or a time such as 2026-04-18T10:31:00Z.',
  );
}

function durationMs(text: string): number {
  const parts = text.match(/\d+[smhd]/g) ?? [];
  return parts.reduce(
    (sum, part) => sum + Number(part.slice(0, -1)) * (UNIT_MS[part.slice(-1)] ?? 0),
    0,
  );
}

/** undefined when it is none, or no day of any calendar. */
function timeMs(text: string): number | undefined {
  const [, day, clock, fraction = '', zone] = TIME.exec(text) ?? [];
  if (day === undefined || clock === undefined || zone === undefined) return undefined;
  const isDay = Number.isFinite(Date.parse(day)) && new Date(day).toISOString().startsWith(day);
  const at = Date.parse(`${day}T${clock}${fraction.slice(0, 4)}${zone.toUpperCase()}`);
  return isDay && Number.isFinite(at) ? at : undefined;
}
