/** One runner process serves run after run, each in an instance of its own, and no run suffers for another. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import wabt from 'wabt';
import type { WasmParams } from '../../executors/wasm/config.ts';
import type { RunContext } from '../../plugins/sdk/index.ts';
import { eventually } from '../kit/eventually.ts';
import {
  Bench,
  DEADLINE_MS,
  complete,
  endOf,
  holderOf,
  processes,
  type Desk,
} from './executor-wasm/kit.ts';

const EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))';
/** Exits with how often it has been run in this memory. */
const COUNTS = `(module ${EXIT} (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    (call $exit (i32.load (i32.const 0)))))`;
/** Swallows its own exit, and then does not end. */
const SWALLOWS = `(module ${EXIT} (memory (export "memory") 1)
  (func (export "_start")
    (try (do (call $exit (i32.const 4))) (catch_all (loop $l (br $l))))))`;

const { parseWat } = await wabt();

/** A desk with one runner that stays, and runs of small modules by their text. */
class Scene {
  readonly bench: Bench;
  readonly desk: Promise<Desk>;
  #runs = 0;

  constructor(t: Test, config: Readonly<Record<string, unknown>> = {}) {
    this.bench = new Bench(t);
    this.desk = this.bench.open({ warm: 1, idleMs: 30_000, ...config });
  }

  run(module: string): RunContext<WasmParams> {
    return this.bench.run(`e-${(this.#runs += 1)}`, { module });
  }

  /** With the text of a module in the place of a fixture. */
  written(text: string): RunContext<WasmParams> {
    const file = join(this.bench.root, `m-${(this.#runs += 1)}.wasm`);
    const { buffer } = parseWat('m.wat', text, { exceptions: true }).toBinary({});
    writeFileSync(file, buffer);
    const run = this.bench.run(`e-${this.#runs}`, { module: 'hello' });
    const [, ...others] = run.spec.mounts;
    const module = { source: file, target: '/app.wasm', readOnly: true };
    return { ...run, spec: { ...run.spec, mounts: [module, ...others] } };
  }
}

function pidOf(run: RunContext): number | undefined {
  return holderOf(run.folder)?.pid;
}

async function begin(desk: Desk, run: RunContext<WasmParams>): Promise<void> {
  await desk.executor.prepare(run.spec, () => undefined);
  await desk.executor.start(run);
  void desk.executor.supervise(run, AbortSignal.timeout(DEADLINE_MS));
}

t.setTimeout(240_000);

await t.test('runs of one owner share a process and no memory', async (t) => {
  const scene = new Scene(t);
  const desk = await scene.desk;
  const runs = [COUNTS, COUNTS, COUNTS].map((text) => scene.written(text));
  for (const run of runs)
    t.same(await complete(desk, run), { by: 'exit', code: 1, reason: '' }, 'a memory of its own');
  t.equal(new Set(runs.map(pidOf)).size, 1, 'one process');
  await eventually('the runner to be idle again', () => desk.pool.idle === 1, DEADLINE_MS);
});

await t.test(
  'another owner, and a run beyond the number allowed, get another process',
  async (t) => {
    const scene = new Scene(t, { runsPerRunner: 2 });
    const desk = await scene.desk;
    const [first, second, third] = [COUNTS, COUNTS, COUNTS].map((text) => scene.written(text));
    if (first === undefined || second === undefined || third === undefined) return t.fail();
    await complete(desk, first);
    const others = { ...second, spec: { ...second.spec, owner: 'somebody-else' } };
    await complete(desk, others);
    t.not(pidOf(first), pidOf(others), 'another owner');
    await complete(desk, third);
    const fourth = scene.written(COUNTS);
    await complete(desk, fourth);
    const fifth = scene.written(COUNTS);
    await complete(desk, fifth);
    const pids = [first, third, fourth, fifth].map(pidOf);
    t.ok(new Set(pids).size >= 2, `none serves three: ${pids.join(' ')}`);
    for (const pid of pids) t.ok(pids.filter((one) => one === pid).length <= 2);
  },
);

await t.test('no process serves again after a trap, a limit or a stop', async (t) => {
  const scene = new Scene(t, { maxOutputBytes: 65_536 });
  const desk = await scene.desk;
  const trap = scene.run('trap');
  t.equal((await complete(desk, trap))?.by, 'trap');
  const stopped = scene.run('spin');
  await begin(desk, stopped);
  const order = { by: 'stop', reason: 'enough', signal: 'SIGTERM', graceMs: 0 } as const;
  await desk.executor.stop(stopped, order);
  await endOf(desk, stopped);
  const limited = scene.run('flood');
  await complete(desk, limited);
  const after = scene.written(COUNTS);
  await complete(desk, after);
  const pids = [trap, stopped, limited, after].map(pidOf);
  t.equal(new Set(pids).size, 4, pids.join(' '));
});

await t.test('what is done about an ended run does not touch the next one', async (t) => {
  const scene = new Scene(t);
  const desk = await scene.desk;
  const [ended, removed] = [scene.written(COUNTS), scene.written(COUNTS)];
  await complete(desk, ended);
  await complete(desk, removed);
  const next = scene.run('spin');
  await begin(desk, next);
  t.equal(pidOf(next), pidOf(ended), 'held by the same process');
  const stopped = scene.run('spin');
  await begin(desk, stopped);
  await desk.executor.remove(removed.spec.key);
  const order = { by: 'stop', reason: 'late', signal: 'SIGTERM', graceMs: 0 } as const;
  await desk.executor.stop(ended, order);
  // One that is stopped after it has ended by force: what the late order does would be done by then.
  await desk.executor.stop(stopped, order);
  await endOf(desk, stopped);
  t.equal((await desk.executor.observe(next)).phase, 'running');
  t.same((await desk.executor.observe(ended)).outcome, { by: 'exit', code: 1, reason: '' });
  const listed = await desk.executor.list();
  const phases = listed.map(({ key, phase }) => [key.executionId, phase]);
  t.has(Object.fromEntries(phases), {
    [ended.spec.key.executionId]: 'exited',
    [next.spec.key.executionId]: 'running',
  });
  await desk.executor.remove(next.spec.key);
  t.equal((await desk.executor.observe(ended)).phase, 'exited');
});

await t.test('a process that is killed takes only the run that it holds', async (t) => {
  const scene = new Scene(t);
  const desk = await scene.desk;
  const before = scene.written(COUNTS);
  await complete(desk, before);
  const held = scene.run('spin');
  await begin(desk, held);
  const holder = holderOf(held.folder);
  t.equal(holder?.pid, pidOf(before));
  t.ok(holder !== undefined && processes.signal(holder, 'SIGKILL'));
  t.equal((await endOf(desk, held)).outcome?.by, 'signal');
  t.same((await desk.executor.observe(before)).outcome, { by: 'exit', code: 1, reason: '' });
});

await t.test(
  'a guest that swallows its exit has ended all the same, and its process',
  async (t) => {
    const scene = new Scene(t);
    const desk = await scene.desk;
    const run = scene.written(SWALLOWS);
    await begin(desk, run);
    t.same((await endOf(desk, run)).outcome, { by: 'exit', code: 4, reason: '' });
    const holder = holderOf(run.folder);
    if (holder === undefined) return t.fail('no claim');
    await eventually('its end', () => processes.look(holder) === 'gone', DEADLINE_MS);
  },
);

await t.test(
  'a new plugin takes over what is idle, and the run that another one holds',
  async (t) => {
    const scene = new Scene(t);
    const desk = await scene.desk;
    const first = scene.written(COUNTS);
    await complete(desk, first);
    const held = scene.run('spin');
    await begin(desk, held);
    const second = await scene.bench.open({ warm: 1, idleMs: 30_000 });
    t.equal((await second.executor.observe(held)).phase, 'running');
    const order = { by: 'stop', reason: 'drain', signal: 'SIGTERM', graceMs: 0 } as const;
    await second.executor.stop(held, order);
    t.same((await endOf(second, held)).outcome, { by: 'stop', code: 137, reason: 'drain' });
    t.equal((await second.executor.observe(first)).phase, 'exited');
  },
);
