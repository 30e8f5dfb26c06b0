/** One file of tests as a process: its TAP as one subtest, with what tap itself would say of the process around it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const INDENT = '    ';
/** What tap lets a timed out process tell about itself takes it ten seconds. */
const ALARM_GRACE_MS = 15_000;

/**
 * Runs `program` as the tests of `file`, for at most `limitS`; answers the lines of TAP and the seconds that it took. Aborting
 * `signal` ends it.
 */
export async function runTestFile({ file, program, cwd, env, signal, limitS }) {
  const began = performance.now();
  const child = spawn(process.execPath, ['--enable-source-maps', program], {
    cwd,
    env: { ...env, TAP: '1', TAP_CHILD_ID: '1', TAP_TIMEOUT: String(limitS) },
    stdio: ['ignore', 'pipe', 'inherit'],
    signal,
    killSignal: 'SIGTERM',
  });
  const limit = limitTime(child, limitS);
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve({ error: error.message }));
    child.once('close', (exitCode, signalled) => resolve({ exitCode, signal: signalled }));
  });
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  const facts = { ...(await ended), ...limit.end() };
  const ms = performance.now() - began;
  return { lines: asSubtest(file, { lines, facts, ms }), seconds: ms / 1000 };
}

function limitTime(child, limitS) {
  let expired = false;
  let killer;
  const alarm = setTimeout(() => {
    expired = true;
    child.kill('SIGALRM');
    killer = setTimeout(() => child.kill('SIGKILL'), ALARM_GRACE_MS);
  }, limitS * 1000);
  return {
    end() {
      clearTimeout(alarm);
      clearTimeout(killer);
      return expired ? { expired: `${limitS} s` } : {};
    },
  };
}

/** The lines of a file's own TAP, indented, and the point that sums them up. */
export function asSubtest(file, { lines, facts, ms }) {
  const { exitCode, signal, error, expired } = facts;
  const plan = planOf(lines);
  const failure = error ?? plan.failure;
  const ok = exitCode === 0 && expired === undefined && failure === undefined;
  const directive = ok && plan.skip !== undefined ? `SKIP ${plan.skip}` : `time=${ms.toFixed(3)}ms`;
  const reasons = { exitCode, signal, expired, error: failure };
  const diagnosis = Object.entries(reasons)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `  ${name}: ${value}`);
  return [
    `# Subtest: ${file}`,
    ...lines.map((line) => `${INDENT}${line}`),
    `${ok ? 'ok' : 'not ok'} 1 - ${file} # ${directive}`,
    ...(ok ? [] : ['  ---', ...diagnosis, '  ...']),
  ];
}

/** A process that ends well in the midst of its tests has passed none of the others. */
function planOf(lines) {
  const points = lines.filter((line) => /^(not )?ok\b/.test(line)).length;
  const plan = lines.map((line) => /^1\.\.(\d+)(?: # *(.*))?$/.exec(line)).find(Boolean);
  if (plan === undefined) return { failure: 'it ended before its tests' };
  const [, count, reason] = plan;
  if (Number(count) !== points) return { failure: `it has ${points} tests of ${count}` };
  return points === 0 ? { skip: reason ?? 'no tests found' } : {};
}
