/** What only the requester may set. Programs send these keys with zero values; people must not write them. */
import { valueText } from './job-spec-error.ts';
import { refuse } from './job-spec-shape.ts';

const SYSTEM_FIELDS: Readonly<Record<string, string>> = {
  state: 'job state',
  version: 'job version',
  revision: 'job revision',
  createtime: 'job create time',
  modifytime: 'job modify time',
};

/** The mapping without the system fields and `$schema`. Strict: any of them is an error; lenient: a set one is a warning. */
export function takeSystemFields(
  mapping: Readonly<Record<string, unknown>>,
  mode: 'strict' | 'lenient',
  warnings: string[],
): Readonly<Record<string, unknown>> {
  const kept = Object.entries(mapping).filter(([key, value]) => {
    const name = key.toLowerCase();
    // For editors: where the schema of job files is.
    if (key === '$schema') return false;
    const isId = name === 'id';
    if (!isId && !Object.hasOwn(SYSTEM_FIELDS, name)) return true;
    if (mode === 'strict')
      refuse(`${key} is ${valueText(value)}; the requester sets it, a job file must not`);
    if (!isZero(value))
      warnings.push(
        isId ? idWarning(mapping) : `${SYSTEM_FIELDS[name]} is ignored when submitting a job`,
      );
    return false;
  });
  return Object.fromEntries(kept);
}

function idWarning(mapping: Readonly<Record<string, unknown>>): string {
  const type = Object.entries(mapping).find(([key]) => key.toLowerCase() === 'type')?.[1];
  const word = typeof type === 'string' && /^[a-z]+$/.test(type) ? ` ${type}` : '';
  return `job ID is ignored when submitting a${word} job`;
}

/** The zero values of Go: an unset state is `{StateType: Undefined}`. */
function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === 0) return true;
  if (typeof value !== 'object') return false;
  return Object.values(value).every((member) => isZero(member) || member === 'Undefined');
}
