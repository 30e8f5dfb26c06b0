/** Rules that span several values of a job; each throws `invalid-job` in one line. */
import { invalid } from './job-spec-error.ts';
import type { Path } from './job-spec-error.ts';
import type { ParsedJob } from './job-spec-schema.ts';
import type { ParsedTask } from './job-task-schema.ts';
import { perNode } from './job.ts';
import { constraintFault } from './labels.ts';
import { checkRestart } from './job-restart.ts';
import { URL_SOURCE, urlSource } from './url-source.ts';

export function checkJob(job: ParsedJob): void {
  if (perNode(job.Type) && (job.Count ?? 0) > 1)
    throw invalid(['Count'], job.Count, `no Count: ${job.Type} runs once on each matching node`);
  checkRestart(job.RestartPolicy);
  job.Constraints.forEach((constraint, i) => {
    const values = constraint.Values ?? [];
    const fault = constraintFault({ ...constraint, Values: values });
    if (fault !== undefined)
      throw invalid(['Constraints', i], `${constraint.Key} ${constraint.Operator}`, fault);
  });
}

/** `path` leads to the task. */
export function checkTask(task: ParsedTask, path: Path): void {
  checkEnv(task, path);
  checkInputs(task, path);
  checkResults(task, path);
  checkNetwork(task, path);
  checkTimeouts(task, path);
}

const ENV_NAME = /^[A-Z][A-Z0-9_]*$/;
/** Linux starts no program with a longer text among its variables (128 KiB, name and all). */
const MOST_TEXT_BYTES = 128_000;
const utf8 = new TextEncoder();
/** Names that the node sets itself. */
const ENV_RESERVED = ['BACALHAU_', 'LIMPET_'];

function checkEnv(task: ParsedTask, path: Path): void {
  for (const [name, value] of Object.entries(task.Env ?? {})) {
    const at = [...path, 'Env', name];
    if (!ENV_NAME.test(name))
      throw invalid(at, name, 'a name of upper-case letters, digits and _, a letter first');
    const prefix = ENV_RESERVED.find((reserved) => name.startsWith(reserved));
    if (prefix !== undefined) throw invalid(at, name, `a name that does not begin with ${prefix}`);
    if (value === '' || value.includes('\0'))
      throw invalid(at, value, 'a value that is not empty and without NUL');
    if (utf8.encode(value).length > MOST_TEXT_BYTES)
      throw invalid(
        at,
        value,
        `a value of ${MOST_TEXT_BYTES} bytes at most; hand more over as an input`,
      );
  }
}

function checkInputs(task: ParsedTask, path: Path): void {
  const inputs = task.InputSources ?? [];
  const at = (i: number, key: string): Path => [...path, 'InputSources', i, key];
  checkUnique(
    inputs.map((input) => input.Target),
    (i) => at(i, 'Target'),
  );
  checkUnique(
    inputs.map((input) => input.Alias),
    (i) => at(i, 'Alias'),
  );
  inputs.forEach(({ Source }, i) => {
    if (Source.Type === URL_SOURCE) urlSource(Source.Params, [...at(i, 'Source'), 'Params']);
  });
}

const RESULT_NAME = /^(?!\.{1,2}$)(?!(?:stdout|stderr|exitCode)$)[^/\0]{1,200}$/;

function checkResults(task: ParsedTask, path: Path): void {
  const results = task.ResultPaths ?? [];
  const at = (i: number, key: string): Path => [...path, 'ResultPaths', i, key];
  results.forEach((result, i) => {
    if (!RESULT_NAME.test(result.Name))
      throw invalid(
        at(i, 'Name'),
        result.Name,
        'a folder name other than stdout, stderr, exitCode',
      );
    if (!result.Path.startsWith('/'))
      throw invalid(at(i, 'Path'), result.Path, 'an absolute path such as /outputs');
  });
  checkUnique(
    results.map((result) => result.Name),
    (i) => at(i, 'Name'),
  );
  checkUnique(
    results.map((result) => result.Path),
    (i) => at(i, 'Path'),
  );
  if (results.length > 0 && task.Publisher === undefined)
    throw invalid(
      [...path, 'Publisher'],
      undefined,
      'a publisher such as {Type: local}, as ResultPaths are given',
    );
}

function checkUnique(values: readonly unknown[], at: (index: number) => Path): void {
  const seen = new Set<unknown>();
  values.forEach((value, i) => {
    if (value !== undefined && value !== 0 && seen.has(value))
      throw invalid(at(i), value, 'a value that no other item has');
    seen.add(value);
  });
}

function checkNetwork(task: ParsedTask, path: Path): void {
  const { Type, Domains = [], Ports = [] } = task.Network;
  const at = (key: string): Path => [...path, 'Network', key];
  if (Domains.length > 0 && Type !== 'http')
    throw invalid(at('Domains'), Domains, `no domains with Type ${Type}; they need Type http`);
  if (Ports.length > 0 && Type !== 'host' && Type !== 'bridge')
    throw invalid(at('Ports'), Ports, `no ports with Type ${Type}; they need host or bridge`);
  const portAt = (i: number, key: string): Path => [...at('Ports'), i, key];
  Ports.forEach((port, i) => {
    if ((port.Target ?? 0) > 0 && Type !== 'bridge')
      throw invalid(
        portAt(i, 'Target'),
        port.Target,
        `no Target with Type ${Type}; it needs bridge`,
      );
  });
  checkUnique(
    Ports.map((port) => port.Name),
    (i) => portAt(i, 'Name'),
  );
  checkUnique(
    Ports.map((port) => port.Static),
    (i) => portAt(i, 'Static'),
  );
  checkUnique(
    Ports.map((port) => port.Target),
    (i) => portAt(i, 'Target'),
  );
}

function checkTimeouts(task: ParsedTask, path: Path): void {
  const { ExecutionTimeout = 0, QueueTimeout = 0, TotalTimeout = 0 } = task.Timeouts;
  if (TotalTimeout > 0 && ExecutionTimeout + QueueTimeout > TotalTimeout)
    throw invalid(
      [...path, 'Timeouts', 'TotalTimeout'],
      TotalTimeout,
      `at least ExecutionTimeout + QueueTimeout (${ExecutionTimeout + QueueTimeout})`,
    );
}
