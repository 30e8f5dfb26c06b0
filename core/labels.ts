/** Labels of nodes and jobs: constraints on them, and the text form of selectors (Kubernetes' grammar). */
import { assertNever } from './errors.ts';
import type { Constraint, ConstraintOperator } from './job.ts';

export type Labels = Readonly<Record<string, string>>;

const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?';
const DNS = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const KEY = new RegExp(`^(?:(?=[^/]{1,253}/)${DNS}(?:\\.${DNS})*/)?${NAME}$`);
const VALUE = new RegExp(`^(?:${NAME})?$`);
const INTEGER = /^-?\d{1,18}$/;

/** `region` or `example.org/region`; the name at most 63 letters, digits, dots, dashes, underscores. */
export function isLabelKey(text: string): boolean {
  return KEY.test(text);
}

export function isLabelValue(text: string): boolean {
  return VALUE.test(text);
}

/** How many values an operator takes: [at least, at most]. */
export const VALUE_COUNTS: Readonly<Record<ConstraintOperator, readonly [number, number]>> = {
  in: [1, Infinity],
  notin: [1, Infinity],
  '=': [1, 1],
  '==': [1, 1],
  '!=': [1, 1],
  exists: [0, 0],
  '!': [0, 0],
  gt: [1, 1],
  lt: [1, 1],
};

/** What is wrong with a constraint, as `expected ...`; undefined when it is sound. */
export function constraintFault(constraint: Constraint): string | undefined {
  const { Key, Operator, Values } = constraint;
  if (!isLabelKey(Key)) return `a label key, not ${JSON.stringify(Key)}`;
  const [least, most] = VALUE_COUNTS[Operator];
  if (Values.length < least || Values.length > most) return valueCountText(Operator);
  const odd = Values.find((value) => !isLabelValue(value));
  if (odd !== undefined) return `label values, not ${JSON.stringify(odd)}`;
  if ((Operator === 'gt' || Operator === 'lt') && !INTEGER.test(Values[0] ?? ''))
    return `an integer for operator ${Operator}, not ${JSON.stringify(Values[0])}`;
  return undefined;
}

function valueCountText(operator: ConstraintOperator): string {
  const [least, most] = VALUE_COUNTS[operator];
  const count =
    most === 0 ? 'no values' : most === least ? 'exactly one value' : 'at least one value';
  return `${count} for operator ${operator}`;
}

export type Match = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** All constraints must hold; the reason names the first that does not. */
export function matchConstraints(labels: Labels, constraints: readonly Constraint[]): Match {
  for (const constraint of constraints) {
    const value = Object.hasOwn(labels, constraint.Key) ? labels[constraint.Key] : undefined;
    if (holds(value, constraint)) continue;
    const found = value === undefined ? 'is not set' : `is ${JSON.stringify(value)}`;
    const wanted = formatSelector([constraint]);
    return { ok: false, reason: `label ${constraint.Key} ${found}; wanted: ${wanted}` };
  }
  return { ok: true };
}

function holds(value: string | undefined, { Operator, Values }: Constraint): boolean {
  const first = Values[0] ?? '';
  switch (Operator) {
    case 'in':
    case '=':
    case '==':
      return value !== undefined && Values.includes(value);
    case 'notin':
    case '!=':
      return value === undefined || !Values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
    case 'lt':
      if (value === undefined || !INTEGER.test(value) || !INTEGER.test(first)) return false;
      return Operator === 'gt' ? BigInt(value) > BigInt(first) : BigInt(value) < BigInt(first);
    default:
      return assertNever(Operator);
  }
}

/** `region in (eu,us),gpu,!spot,mem>3`; `parseSelector` reads it back. */
export function formatSelector(constraints: readonly Constraint[]): string {
  return constraints.map(formatOne).join(',');
}

function formatOne({ Key, Operator, Values }: Constraint): string {
  const first = Values[0] ?? '';
  if (Operator === 'exists') return Key;
  if (Operator === '!') return `!${Key}`;
  if (Operator === 'in' || Operator === 'notin')
    return `${Key} ${Operator} (${[...Values].sort().join(',')})`;
  if (Operator === 'gt' || Operator === 'lt')
    return `${Key}${Operator === 'gt' ? '>' : '<'}${first}`;
  return `${Key}${Operator}${first}`;
}
