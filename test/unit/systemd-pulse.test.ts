import t from 'tap';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { noFaults } from '../../adapters/faults/env-faults.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import { ExecutionEngine } from '../../agent/executions/engine.ts';
import type { LiveExecution } from '../../agent/executions/live.ts';
import { ExecutionRepository } from '../../agent/executions/repository.ts';
import { Pulse } from '../../agent/unit/pulse.ts';
import { parseExecutionId } from '../../core/ids.ts';
import { eventually } from '../kit/eventually.ts';
import { EXECUTION, record } from '../kit/records.ts';

const OTHER = parseExecutionId('e-01900000-0000-7000-8000-000000000009');

interface Gate {
  readonly open: () => void;
  readonly passed: Promise<void>;
}

function newGate(): Gate {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return {
    passed,
    open: () => {
      open();
    },
  };
}

/** An engine with two executions, on a disk that can be held. */
async function engineOnDisk() {
  const store = await openMemoryStore();
  const disk: { gate?: Gate } = {};
  const write = store.batch.bind(store);
  const batch: typeof store.batch = async (ops) => {
    await disk.gate?.passed;
    await write(ops);
  };
  const engine = new ExecutionEngine({
    hasTraces: () => false,
    repository: new ExecutionRepository(Object.assign(store, { batch })),
    reports: { rows: () => [], unwritten: () => undefined, wake: () => undefined },
    clock: new FakeClock(),
    faults: noFaults,
    log: silentLog,
  });
  engine.connect({ run: () => Promise.resolve() }, () => undefined);
  engine.adoptStored([record(), record({}, { executionId: OTHER })]);
  return { engine, disk, pulse: new Pulse(() => engine.all()) };
}

async function isOut(pass: Promise<void>): Promise<boolean> {
  const turn = new Promise<false>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([pass.then(() => true), turn]);
}

function live(engine: ExecutionEngine): LiveExecution {
  const found = engine.get(EXECUTION);
  if (found === undefined) throw new Error('no such execution');
  return found;
}

t.test('it goes through an engine that works, and through an empty one', async (t) => {
  const { engine, pulse } = await engineOnDisk();
  await engine.dispatch(EXECUTION, { type: 'admit' });
  t.equal(await isOut(pulse.pass()), true);
  t.equal(await isOut(new Pulse(() => []).pass()), true);
});

t.test('one mailbox that does not move holds it up', async (t) => {
  const { engine, pulse } = await engineOnDisk();
  const gate = newGate();
  void live(engine).serial(() => gate.passed);
  const pass = pulse.pass();
  t.equal(await isOut(pass), false);
  t.equal(pulse.waitsForDisk(), false, 'nobody writes');
  gate.open();
  await pass;
});

t.test('a change that waits for the disk is known as that', async (t) => {
  const { engine, disk, pulse } = await engineOnDisk();
  const gate = (disk.gate = newGate());
  const change = engine.dispatch(EXECUTION, { type: 'admit' });
  await eventually('the change to be written', () => live(engine).writing);
  const pass = pulse.pass();
  t.equal(await isOut(pass), false);
  t.equal(pulse.waitsForDisk(), true);
  gate.open();
  await Promise.all([change, pass]);
  t.equal(live(engine).record.state, 'preparing');
  t.equal(pulse.waitsForDisk(), false);
});

t.test('one that waits for the disk does not excuse another that is stuck', async (t) => {
  const { engine, disk, pulse } = await engineOnDisk();
  const [gate, stuck] = [newGate(), newGate()];
  disk.gate = gate;
  const change = engine.dispatch(EXECUTION, { type: 'admit' });
  void engine.get(OTHER)?.serial(() => stuck.passed);
  await eventually('the change to be written', () => live(engine).writing);
  const pass = pulse.pass();
  t.equal(await isOut(pass), false);
  t.equal(pulse.waitsForDisk(), false);
  stuck.open();
  gate.open();
  await Promise.all([change, pass]);
});
