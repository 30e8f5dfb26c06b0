/** Equal work is prepared once where its plugin says that this holds, and only there. */
import t from 'tap';
import type { Effect } from '../../core/execution/events.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { parseExecutionId } from '../../core/ids.ts';
import type { InputSource } from '../../core/job.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import { noFaults } from '../../adapters/faults/env-faults.ts';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { ExecutionEngine } from '../../agent/executions/engine.ts';
import { Prepared } from '../../agent/executions/prepared.ts';
import { ExecutionRepository } from '../../agent/executions/repository.ts';
import type { ExecutorClient } from '../../agent/plugins/port.ts';
import { EXECUTION, placement, record } from '../kit/records.ts';

const OTHER = parseExecutionId('e-01900000-0000-7000-8000-000000000009');
const signal = new AbortController().signal;
const PREPARE: Effect = { type: 'prepare' };

/** Nothing of it is called here. */
function client(preparesOnce: boolean): ExecutorClient {
  return { name: 'wasm', preparesOnce } as unknown as ExecutorClient;
}

function workWith(Source: InputSource['Source'], id = EXECUTION): ExecutionRecord {
  const { task } = placement();
  const InputSources = [{ Source, Target: '/in' }];
  return record({}, { executionId: id, task: { ...task, InputSources } });
}

const inline = (text: string) => ({ Type: 'inline', Params: { URL: `data:,${text}` } });

/** An answer, and how often it was asked for. */
function counting() {
  const asked = { times: 0 };
  const ask = async (): Promise<string> => `digest ${(asked.times += 1)}`;
  return { asked, ask };
}

t.test('executions of the same work are prepared by one call', async (t) => {
  const prepared = new Prepared();
  const of = client(true);
  const { asked, ask } = counting();
  const [first, second] = [workWith(inline('a')), workWith(inline('a'), OTHER)];
  t.equal(prepared.known(first, of)(PREPARE), undefined, 'nothing is known before');
  const both = [first, second].map((one) => prepared.digest(one, of, { ask, signal }));
  t.strictSame(await Promise.all(both), ['digest 1', 'digest 1']);
  t.equal(asked.times, 1);
  t.strictSame(prepared.known(second, of)(PREPARE), { type: 'prepared', digest: 'digest 1' });
  t.equal(prepared.known(second, of)({ type: 'start' }), undefined);
});

t.test('other work, other instances, and inputs that lie elsewhere are asked about', async (t) => {
  const prepared = new Prepared();
  const of = client(true);
  const { asked, ask } = counting();
  await prepared.digest(workWith(inline('a')), of, { ask, signal });
  await prepared.digest(workWith(inline('b')), of, { ask, signal });
  t.equal(asked.times, 2, 'another input');
  await prepared.digest(workWith(inline('a')), client(true), { ask, signal });
  t.equal(asked.times, 3, 'another instance of the plugin');
  const local = workWith({ Type: 'local', Params: { SourcePath: '/data' } });
  await prepared.digest(local, of, { ask, signal });
  await prepared.digest(local, of, { ask, signal });
  t.equal(asked.times, 5, 'files of the node');
  const silent = client(false);
  await prepared.digest(workWith(inline('a')), silent, { ask, signal });
  await prepared.digest(workWith(inline('a')), silent, { ask, signal });
  t.equal(asked.times, 7, 'a plugin that does not say so');
});

t.test('a failure is nobody else’s, and nobody waits for another one in vain', async (t) => {
  const prepared = new Prepared();
  const of = client(true);
  const work = workWith(inline('a'));
  const fail = prepared.digest(work, of, { ask: () => Promise.reject(new Error('no')), signal });
  const { ask } = counting();
  const after = prepared.digest(work, of, { ask, signal });
  await t.rejects(fail, { message: 'no' });
  t.equal(await after, 'digest 1');
  const stuck = client(true);
  void prepared.digest(work, stuck, { ask: () => new Promise(() => undefined), signal });
  const left = new AbortController();
  const leaving = prepared.digest(work, stuck, { ask, signal: left.signal });
  left.abort();
  t.equal(await leaving, 'digest 2');
});

t.test('what is known when it is placed is written at once, with all of its events', async (t) => {
  const repository = new ExecutionRepository(await openMemoryStore());
  const told: unknown[] = [];
  const engine = new ExecutionEngine({
    hasTraces: () => false,
    repository,
    reports: {
      rows: (after, events) => {
        told.push([after.state, events.map(({ to }) => to)]);
        return [];
      },
      unwritten: () => undefined,
      wake: () => undefined,
    },
    clock: new FakeClock(),
    faults: noFaults,
    log: silentLog,
  });
  const known = () => () => ({ type: 'prepared', digest: 'd' }) as const;
  const [placing] = engine.place([record()], { admits: () => true, known });
  t.strictSame(placing?.effects, [{ type: 'start' }]);
  const puts = placing?.ops.filter(({ key }) => key.startsWith('ex/'));
  t.equal(puts?.length, 1);
  await repository.commit(placing?.ops ?? []);
  t.match(await repository.get(EXECUTION), { state: 'starting', digest: 'd', revision: 2 });
  const path = ['accepted', 'preparing', 'starting'];
  t.strictSame(
    (await repository.events(EXECUTION)).map(({ to }) => to),
    path,
  );
  t.strictSame(told, [['starting', path]]);
});
