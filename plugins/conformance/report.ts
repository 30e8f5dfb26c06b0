/** What the suite says: a line for each rule, and one for all. */
import type { Capabilities } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import type { Verdict } from './types.ts';

export interface Identity {
  readonly name: string;
  readonly version: string;
  readonly capabilities: Pick<
    Capabilities,
    'exec' | 'tty' | 'stats' | 'renew' | 'held' | 'preparesOnce'
  >;
}

const WORD = { pass: 'pass', fail: 'FAIL', skip: 'skip' } as const;

export function verdictLines(
  { result, rule, title, reason, expected, found }: Verdict,
  width: number,
): string {
  const line = `${WORD[result]}  ${rule.padEnd(width)}  ${title}`;
  if (result === 'skip') return `${line} (${oneLine(reason)})`;
  if (result === 'pass') return line;
  return `${line}\n      expected: ${oneLine(expected ?? '')}\n      found:    ${oneLine(found ?? '')}`;
}

export function countsOf(verdicts: readonly Verdict[]) {
  const count = (result: Verdict['result']) =>
    verdicts.filter((verdict) => verdict.result === result).length;
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
}

/** `61 passed, 1 failed, 3 skipped (2: no sample 'flood'; 1: ...)` */
export function summary({ name, version }: Identity, verdicts: readonly Verdict[]): string {
  const { passed, failed, skipped } = countsOf(verdicts);
  const reasons = new Map<string, number>();
  for (const { result, reason } of verdicts)
    if (result === 'skip') reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const why = [...reasons].map(([reason, times]) => `${times}: ${oneLine(reason)}`).join('; ');
  const end = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  const isBare = [...reasons.keys()].some((reason) => reason.startsWith('no sample'));
  const hint = isBare ? '\nsamples come from the file of --config; limpet plugin test --help' : '';
  return `${name} ${version}: ${end}${why === '' ? '' : ` (${why})`}${hint}`;
}

export function jsonReport(identity: Identity, verdicts: readonly Verdict[]): string {
  const { name, version } = identity;
  const { exec, tty, stats, renew, held, preparesOnce } = identity.capabilities;
  const capabilities = { exec, tty, stats, renew, held, preparesOnce };
  const plugin = { name, version, capabilities };
  return JSON.stringify({ plugin, ...countsOf(verdicts), verdicts }, undefined, 2);
}

/** What a plugin says goes to a terminal: no control characters, and not without end. */
function oneLine(text: string): string {
  return text.replaceAll(/[\x00-\x1f\x7f-\x9f]+/g, ' ').slice(0, 400);
}
