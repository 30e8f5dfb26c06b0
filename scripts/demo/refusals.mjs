/** Part 3: bad input is refused in one line, and loses nothing. */
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from './world.mjs';

const agentProgram = fileURLToPath(new URL('../../dist/agent.js', import.meta.url));
const IMAGE_BOUND_MS = 5_000;

export async function showRefusals(world, report) {
  report.title('3. Bad input, one line each');
  await unknownField(world, report);
  if (world.engineHost !== undefined) await missingImage(world, report);
  await overMemory(world, report);
  secondAgent(world, report);
  await corruptRecord(world, report);
}

async function unknownField(world, report) {
  const file = world.jobFile('typo', { Engine: { Type: 'wasm', Params: {} }, Timeout: 3 });
  const { code, stderr } = await world.limpet(['job', 'run', file]);
  say(report, code !== 0 && oneLine(stderr), 'unknown field in a job file', stderr);
}

async function missingImage(world, report) {
  const file = world.jobFile('no-image', {
    Engine: { Type: 'docker', Params: { Image: 'nobody/nothing:1' } },
  });
  const began = performance.now();
  const { code, stderr } = await world.limpet(['job', 'run', '--wait', file]);
  const ms = performance.now() - began;
  say(
    report,
    code !== 0 && ms < IMAGE_BOUND_MS,
    `missing image (${ms.toFixed(0)} ms)`,
    lastLine(stderr),
  );
}

async function overMemory(world, report) {
  const file = world.jobFile('hog', {
    Engine: world.engine('wasm', { wasm: 'grow-hog' }, []),
    InputSources: [world.module('grow-hog')],
    Resources: { Memory: '64Mi' },
  });
  const { code, stderr } = await world.limpet(['job', 'run', '--wait', file]);
  say(report, code !== 0 && /memory/.test(stderr), 'module over its memory cap', lastLine(stderr));
}

function secondAgent(world, report) {
  const { status, stderr } = spawnSync(
    process.execPath,
    [agentProgram, '--config', world.agentConfig()],
    {
      encoding: 'utf8',
      timeout: 20_000,
    },
  );
  say(report, status === 1 && oneLine(stderr), 'second agent on the same data folder', stderr);
}

/** A byte of a running job's record is changed on disk while the agent is down. */
async function corruptRecord(world, report) {
  const file = world.jobFile('unlucky', {
    Engine: world.engine('wasm', { wasm: 'ticker' }, ['30', '100']),
    InputSources: [world.module('ticker')],
  });
  const job = await world.submit(file);
  const execution = await world.execution(job);
  await until('it to run', 10_000, async () => {
    const { executions } = await world.agentStatus();
    return executions.some((e) => e.id === execution && e.state === 'running') || undefined;
  });
  await world.stopAgent();
  await damage(join(world.agentFolder, 'store'), `ex/${execution}`);
  const status = await world.startAgent();
  const reported = status.quarantined.find((line) => line.includes(execution));
  say(
    report,
    reported !== undefined,
    'corrupt record: set aside, the agent runs on',
    reported ?? 'not reported',
  );
  const state = await world.ended(job, 30_000);
  report.check(
    state === 'Completed',
    `its run goes on, is claimed by its owner and told as it really ended: ${state}`,
  );
}

async function damage(folder, key) {
  const { Level } = await import('level');
  const db = new Level(folder, { createIfMissing: false });
  const value = await db.get(key);
  await db.put(key, value.replace('"state":"running"', '"state":"ruXning"'), { sync: true });
  await db.close();
}

function say(report, holds, what, line) {
  report.check(holds, what, `said: ${line}`);
  if (holds) report.note(line.trim());
}

const oneLine = (text) => text.trim().split('\n').length === 1 && text.trim() !== '';
const lastLine = (text) => text.trim().split('\n').at(-1);
