/** Part 2: twenty seconds of work on every executor at once, while agent and plugins are killed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { callEngine } from '../engine.mjs';
import { until } from './world.mjs';

const LINES = 100;
const EVERY_MS = 200;
const KILL_AGENT_AT_MS = 5_000;
const KILL_PLUGINS_AT_MS = 10_000;

export async function surviveKills(world, report) {
  report.title(`2. ${(LINES * EVERY_MS) / 1000} seconds of work; agent and plugins are killed`);
  const runs = await Promise.all(world.executors.map((executor) => begin(world, executor)));
  const began = performance.now();
  const at = (ms) => delay(Math.max(0, ms - (performance.now() - began)));
  for (const run of runs) run.before = await whoRuns(world, run);

  await at(KILL_AGENT_AT_MS);
  world.killAgent();
  report.note(`agent killed (SIGKILL) after ${KILL_AGENT_AT_MS / 1000} s, and started again`);
  const status = await world.startAgent();
  const adopted = status.executors.reduce((sum, e) => sum + e.adopted, 0);
  report.check(
    adopted === runs.length,
    `${adopted} of ${runs.length} runs adopted, ready ${status.readyMs} ms after its start`,
  );
  report.check(
    status.executors.every((e) => e.reattached),
    'the same plugins, reattached',
  );

  await at(KILL_PLUGINS_AT_MS);
  await killPlugins(world, report);
  for (const run of runs) {
    const still = await whoRuns(world, run);
    report.check(
      still === run.before,
      `${run.executor}: the same ${still}`,
      `before: ${run.before}`,
    );
  }
  for (const run of runs) await judge(world, report, run);
}

async function begin(world, executor) {
  const shell = `i=1; while [ $i -le ${LINES} ]; do echo "line $i"; sleep ${EVERY_MS / 1000}; i=$((i+1)); done`;
  const program =
    executor === 'wasm' ? { wasm: 'ticker', argv: [] } : { argv: ['sh', '-c', shell] };
  const file = world.jobFile(`ticker-${executor}`, {
    Engine: world.engine(
      executor,
      program,
      executor === 'wasm' ? [String(LINES), String(EVERY_MS)] : [],
    ),
    InputSources: executor === 'wasm' ? [world.module('ticker')] : [],
  });
  const job = await world.submit(file);
  return { executor, job, execution: await world.execution(job) };
}

/** Identity of what really runs: container and start time, or pid and start time. */
async function whoRuns(world, { executor, execution }) {
  if (executor !== 'docker') {
    const claim = join(world.agentFolder, 'runs', executor, execution, '0', 'claim');
    return until(`the claim of ${execution}`, 10_000, () => {
      try {
        const [pid, startTime] = readFileSync(claim, 'utf8').trim().split(' ');
        return startTime === undefined ? undefined : `pid ${pid}, started at tick ${startTime}`;
      } catch {
        return undefined;
      }
    });
  }
  const filters = encodeURIComponent(
    JSON.stringify({ label: [`limpet.execution-id=${execution}`] }),
  );
  return until(`the container of ${execution}`, 10_000, async () => {
    const { body } = await callEngine(world.engineHost, {
      path: `/containers/json?all=1&filters=${filters}`,
    });
    const [found] = JSON.parse(body);
    if (found === undefined) return undefined;
    const { body: detail } = await callEngine(world.engineHost, {
      path: `/containers/${found.Id}/json`,
    });
    const { State } = JSON.parse(detail);
    return State.Running
      ? `container ${found.Id.slice(0, 12)}, pid ${State.Pid}, started ${State.StartedAt}`
      : undefined;
  });
}

async function killPlugins(world, report) {
  const { executors } = await world.agentStatus();
  const killed = performance.now();
  for (const { pid } of executors) process.kill(pid, 'SIGKILL');
  report.note(`every plugin killed (SIGKILL) after ${KILL_PLUGINS_AT_MS / 1000} s`);
  const old = new Map(executors.map((e) => [e.name, e.pid]));
  await until('the plugins to be back', 20_000, async () => {
    const { executors: now } = await world.agentStatus();
    const back = now.every(
      (e) => e.pid !== undefined && e.pid !== old.get(e.name) && e.recovery === 'complete',
    );
    return back || undefined;
  });
  report.note(
    `new plugins hold the runs again after ${(performance.now() - killed).toFixed(0)} ms`,
  );
}

async function judge(world, report, run) {
  const state = await world.ended(run.job, 60_000);
  const { stdout } = await world.limpet(['job', 'logs', run.job]);
  const expected = Array.from({ length: LINES }, (_, i) => `line ${i + 1}\n`).join('');
  report.check(
    stdout === expected,
    `${run.executor}: all ${LINES} lines, none doubled`,
    firstDifference(stdout, expected),
  );
  report.check(state === 'Completed', `${run.executor}: ${state}`);
}

function firstDifference(got, expected) {
  const [a, b] = [got.split('\n'), expected.split('\n')];
  const i = a.findIndex((line, at) => line !== b[at]);
  return `got ${a.length - 1} lines; first difference at line ${i + 1}: '${a[i]}' instead of '${b[i]}'`;
}
