/** The program behind `limpet plugin test`: takes its words, runs the suite, and leaves nothing behind. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { removeFolder } from '../../adapters/durable/folders.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { absoluteCommand, passedEnvironment } from './command.ts';
import { guardFolder } from './guard.ts';
import { meet } from './meet.ts';
import { countsOf, jsonReport, summary, verdictLines } from './report.ts';
import { RULES } from './rules.ts';
import { killOnce } from './strays.ts';
import { readSubjectFile } from './subject.ts';
import { runSuite } from './suite.ts';
import type { Rule } from './types.ts';

const FAILED = 1;
const NOT_TESTED = 2;
/** Room for the names of sockets below it. */
const LONGEST_FOLDER = 40;

interface Wish {
  readonly command: readonly string[];
  readonly file: string | undefined;
  readonly rules: readonly Rule[];
  readonly json: boolean;
  readonly slow: boolean;
  readonly jobs: number;
  readonly list: boolean;
}

// Whether a socket lets others in is the plugin's doing, not that of whoever runs this.
process.umask(0o022);
process.exitCode = await main(process.argv.slice(2)).catch((thrown: unknown) => {
  process.stderr.write(`limpet plugin test: ${messageOf(thrown)}\n`);
  return NOT_TESTED;
});

async function main(args: readonly string[]): Promise<number> {
  const wish = parse(args);
  if (wish.list) return list(wish);
  const processes = procProcesses();
  const folder = mkdtempSync(join(shortFolder(), 'lpt-'));
  const release = guardFolder(folder);
  const abort = new AbortController();
  const interrupted = onSignals(abort, () => killOnce(folder, processes));
  try {
    const code = await test(wish, { folder, processes, signal: abort.signal });
    return interrupted() ?? code;
  } finally {
    while (killOnce(folder, processes) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await removeFolder(folder);
    release();
  }
}

async function test(wish: Wish, place: Omit<Parameters<typeof meet>[1], 'slow'>): Promise<number> {
  const file = readSubjectFile(wish.file);
  const words = {
    command: absoluteCommand(wish.command, process.cwd()),
    env: passedEnvironment(process.env, file.passEnv, file.env),
    file,
  };
  const { identity, subject, capabilities } = await meet(words, { ...place, slow: wish.slow });
  const width = Math.max(...wish.rules.map(({ id }) => id.length));
  const verdicts = await runSuite({
    ...{ rules: wish.rules, subject, capabilities, jobs: wish.jobs },
    ...{ processes: place.processes, folder: place.folder, signal: place.signal },
    onVerdict: (verdict) => {
      if (!wish.json) process.stdout.write(`${verdictLines(verdict, width)}\n`);
    },
  });
  const end = wish.json ? jsonReport(identity, verdicts) : summary(identity, verdicts);
  process.stdout.write(`${end}\n`);
  return countsOf(verdicts).failed > 0 ? FAILED : 0;
}

function list({ rules, json }: Wish): number {
  const all = rules.map(({ id, title, needs = [] }) => ({ rule: id, title, needs }));
  const width = Math.max(...all.map(({ rule }) => rule.length));
  const lines = all.map(({ rule, title }) => `${rule.padEnd(width)}  ${title}`);
  process.stdout.write(`${json ? JSON.stringify(all, undefined, 2) : lines.join('\n')}\n`);
  return 0;
}

function parse(args: readonly string[]): Wish {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      slow: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      jobs: { type: 'string', default: '4' },
    },
  });
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 16)
    throw new LimpetError('invalid-argument', `--jobs '${values.jobs}'; expected 1 to 16`);
  if (positionals.length === 0 && !values.list)
    throw new LimpetError(
      'invalid-argument',
      'no program was named: limpet plugin test -- PROGRAM [ARGUMENTS]',
    );
  const { config: file, json, slow, list: isList } = values;
  const rules = chosen(values.only);
  return { command: positionals, file, rules, json, slow, jobs, list: isList };
}

/** Ids, or groups. */
function chosen(only: readonly string[]): readonly Rule[] {
  const isOf = (rule: Rule, name: string) => rule.id === name || rule.id.startsWith(`${name}/`);
  const unknown = only.find((name) => !RULES.some((rule) => isOf(rule, name)));
  if (unknown !== undefined)
    throw new LimpetError(
      'invalid-argument',
      `there is no rule '${unknown}'; expected one of ${RULES.map(({ id }) => id).join(', ')}`,
    );
  return only.length === 0 ? RULES : RULES.filter((rule) => only.some((name) => isOf(rule, name)));
}

function shortFolder(): string {
  return tmpdir().length > LONGEST_FOLDER ? '/tmp' : tmpdir();
}

/** The first one ends the suite in order, the second one at once. Answers the exit code of an interrupted suite. */
function onSignals(abort: AbortController, kill: () => void): () => number | undefined {
  let code: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (code !== undefined) kill();
      code = 128 + constants.signals[signal];
      abort.abort();
    });
  // Nobody reads any more.
  process.stdout.on('error', () => abort.abort());
  return () => code;
}
