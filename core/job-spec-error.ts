/** One line for a mistake in a job: where, what was found, what is allowed. */
import { LimpetError } from './errors.ts';

export type Path = readonly PropertyKey[];

/** `Tasks[0].Env["odd key"]` */
export function pathText(path: Path): string {
  const text = path.map(segmentText).join('');
  return text.startsWith('.') ? text.slice(1) : text;
}

function segmentText(segment: PropertyKey): string {
  if (typeof segment === 'number') return `[${segment}]`;
  const key = String(segment);
  return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** The value as JSON with its type where that tells something; never longer than a line. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value !== null && typeof value === 'object') return 'a mapping';
  if (typeof value === 'string') return JSON.stringify(cut(value));
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return `the ${typeof value} ${cut(value.toString())}`;
  return value === null ? 'null' : `a ${typeof value}`;
}

function cut(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** `value` undefined: the key is missing. */
export function invalid(path: Path, value: unknown, expected: string): LimpetError {
  const where = path.length === 0 ? 'the job' : pathText(path);
  const what = value === undefined ? 'is missing' : `is ${valueText(value)}`;
  return new LimpetError('invalid-job', `${where} ${what}; expected ${expected}`);
}
