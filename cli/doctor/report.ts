/** A report for people: a line per check, its fix below it. */
import type { DoctorCheck, DoctorReport } from '../../wire/doctor.ts';
import { oneLine } from '../output/table.ts';

const WORDS = { ok: 'ok', warn: 'warn', fail: 'FAIL', skipped: 'skipped' } as const;
const WORD_WIDTH = 9;

export function reportText(reports: readonly DoctorReport[]): string {
  const all = reports.flatMap(({ checks }) => checks);
  const width = Math.max(...all.map(({ name }) => name.length)) + 2;
  const sections = reports.map(({ program, version, running, checks }) =>
    [
      `${program === 'agent' ? 'Agent' : 'Requester'} (version ${version}, ${running ? 'runs' : 'does not run'})`,
      ...checks.flatMap((check) => linesOf(check, width)),
    ].join('\n'),
  );
  return [...sections, summary(all)].join('\n\n');
}

function linesOf({ name, result, found, fix }: DoctorCheck, width: number): readonly string[] {
  const indent = ' '.repeat(WORD_WIDTH + width);
  const first = `${WORDS[result].padEnd(WORD_WIDTH)}${name.padEnd(width)}${oneLine(found)}`;
  return fix === '' ? [first] : [first, `${indent}-> ${oneLine(fix)}`];
}

function summary(checks: readonly DoctorCheck[]): string {
  const count = (result: DoctorCheck['result']): number =>
    checks.filter((check) => check.result === result).length;
  const [failed, warned, skipped] = [count('fail'), count('warn'), count('skipped')];
  return `${checks.length} checks: ${failed} failed, ${warned} warnings, ${skipped} skipped`;
}
