/**
 * The text form of constraints, as in Kubernetes: comma-joined `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`,
 * `k`, `!k`, `k>3`, `k<3`; blanks are free.
 */
import { LimpetError } from './errors.ts';
import type { Constraint, ConstraintOperator } from './job.ts';
import { constraintFault } from './labels.ts';

const TOKEN = /\s*(==|!=|[(),=!<>]|[^\s(),=!<>]+)/y;
const COMPARISONS: ReadonlyMap<string, ConstraintOperator> = new Map([
  ['=', '='],
  ['==', '=='],
  ['!=', '!='],
  ['>', 'gt'],
  ['<', 'lt'],
]);

/** Empty text selects everything. Throws `invalid-argument`. */
export function parseSelector(text: string): Constraint[] {
  const tokens = tokenize(text);
  const constraints: Constraint[] = [];
  while (tokens.length > 0) {
    const constraint = readRequirement(tokens, text);
    const fault = constraintFault(constraint);
    if (fault !== undefined) throw wrong(text, `expected ${fault}`);
    constraints.push(constraint);
    if (tokens.length > 0 && (tokens.shift() !== ',' || tokens.length === 0))
      throw wrong(text, 'expected requirements joined by commas');
  }
  return constraints;
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  const trimmed = text.trimEnd();
  TOKEN.lastIndex = 0;
  for (let at = 0; at < trimmed.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    tokens.push(TOKEN.exec(trimmed)?.[1] ?? '');
  }
  return tokens;
}

function readRequirement(tokens: string[], text: string): Constraint {
  const negated = tokens[0] === '!';
  if (negated) tokens.shift();
  const key = tokens.shift();
  if (key === undefined || !isWord(key)) throw wrong(text, 'expected a label key');
  const next = tokens[0];
  if (negated) return { Key: key, Operator: '!', Values: [] };
  if (next === undefined || next === ',') return { Key: key, Operator: 'exists', Values: [] };
  tokens.shift();
  if (next === 'in' || next === 'notin')
    return { Key: key, Operator: next, Values: readSet(tokens, text) };
  const operator = COMPARISONS.get(next);
  if (operator === undefined)
    throw wrong(text, `expected an operator after '${key}': = == != in notin > <`);
  return { Key: key, Operator: operator, Values: [readWord(tokens)] };
}

/** A value may be empty: `k=` and `k in (a,)`. */
function readWord(tokens: string[]): string {
  return isWord(tokens[0]) ? (tokens.shift() ?? '') : '';
}

function readSet(tokens: string[], text: string): string[] {
  if (tokens.shift() !== '(') throw wrong(text, 'expected ( after in or notin');
  const values = [readWord(tokens)];
  for (let next = tokens.shift(); next !== ')'; next = tokens.shift()) {
    if (next !== ',') throw wrong(text, 'expected values joined by commas and a closing )');
    values.push(readWord(tokens));
  }
  return values;
}

function isWord(token: string | undefined): boolean {
  return token !== undefined && !/^(==|!=|[(),=!<>])$/.test(token);
}

function wrong(text: string, expected: string): LimpetError {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return new LimpetError(
    'invalid-argument',
    `selector ${JSON.stringify(shown)} is not valid: ${expected}`,
  );
}
