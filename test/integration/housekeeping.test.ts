/** What finished executions leave on a node stays within its bounds. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import { agentFolders } from '../../agent/executions/folders.ts';
import { eventOf, ExecutionRepository } from '../../agent/executions/repository.ts';
import { Housekeeper, tooMuch } from '../../agent/housekeeping/housekeeper.ts';
import { parseExecutionId } from '../../core/ids.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, tickerJob, wasmTask } from '../kit/job-specs.ts';
import { EXECUTION, record } from '../kit/records.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(240_000);

const HOUR = 3_600_000;

t.test('logs and results of what has finished go, those of what runs stay', async (t) => {
  const cluster = await startCluster(t);
  const housekeeping = { maxBytes: 0, everyMs: 1_000 };
  const agent = cluster.addAgent({ housekeeping });
  await agent.start();
  const running = await cluster.running(await cluster.submit(tickerJob(600)));
  const job = await cluster.submit(
    batchJob(wasmTask('hello', [], { Publisher: { Type: 'local' } })),
  );
  t.equal((await cluster.ended(job)).state, 'Completed');
  const { id } = await cluster.execution(job);
  const left = (folder: string): string[] => readdirSync(join(agent.folder, folder));
  await eventually('its log and results to go', () =>
    [...left('logs'), ...left('results')].every((name) => name === running),
  );
  t.strictSame(left('logs'), [running]);
  await eventually('its record to go with them', () =>
    agent.history(id).then(
      () => false,
      (thrown: unknown) => /has no execution/.test(String(thrown)),
    ),
  );
  t.match((await agent.status()).executions, [{ id: running, state: 'running', run: 0 }]);
  t.equal((await cluster.execution(job)).state, 'completed', 'its owner still knows it');
  await eventually('it to be shown', async () =>
    /\nFinished +0 executions kept, 0 B of logs and results/.test(
      (await cluster.ran('agent', 'status', '--data', agent.folder)).stdout,
    ),
  );

  t.comment('what has no bound yet stays, until the disk is short of room');
  const file = `${agent.folder}.config.json`;
  const config = z.looseObject({}).parse(JSON.parse(readFileSync(file, 'utf8')));
  const rules = { housekeeping: { maxBytes: 1024 ** 3, everyMs: HOUR } };
  const reload = async (over: object): Promise<void> => {
    writeFileSync(file, JSON.stringify({ ...config, ...rules, ...over }));
    const { exit, stderr } = await cluster.ran('agent', 'reload', '--data', agent.folder);
    t.equal(exit?.code, 0, stderr);
  };
  await reload({});
  const second = await cluster.submit(batchJob(wasmTask('hello', [])));
  t.equal((await cluster.ended(second)).state, 'Completed');
  const kept = (await cluster.execution(second)).id;
  t.ok(left('logs').includes(kept));
  await reload({ keepFinishedMs: 0, minFreeBytes: 1024 ** 4 });
  await eventually('it to go at once', () => !left('logs').includes(kept));
  await eventually('the node to refuse work', async () =>
    (await agent.status()).degraded.some((line) => /are wanted: no new work is taken/.test(line)),
  );
  t.ok(left('logs').includes(running), 'what runs is not touched even then');
});

t.test('the oldest go first, and no more than need to', (t) => {
  const id = parseExecutionId('e-0193d5a0-1111-7000-8000-00000000000a');
  const kept = [1, 2, 3, 4].map((n) => ({ id, finishedAt: n * 1000, bytes: 100 }));
  const judge = (over: object) => {
    const rules = { keepFinishedMs: HOUR, keepFinishedCount: 100, maxBytes: 1_000, ...over };
    const going = tooMuch(kept, { ...rules, housekeeping: { ...rules, everyMs: HOUR } }, 5_000);
    return [...going].map(({ finishedAt }) => finishedAt / 1000);
  };
  t.strictSame(judge({}), []);
  t.strictSame(judge({ keepFinishedMs: 2_500 }), [1, 2]);
  t.strictSame(judge({ keepFinishedCount: 3 }), [1]);
  t.strictSame(judge({ maxBytes: 250 }), [1, 2]);
  t.strictSame(judge({ maxBytes: 0 }), [1, 2, 3, 4]);
  t.strictSame(judge({ maxBytes: 400 }), [], 'what fits stays');
  t.end();
});

t.test('nothing of it goes while a report of its end waits to be acknowledged', async (t) => {
  const folders = agentFolders(tempDir(t));
  const repository = new ExecutionRepository(await openMemoryStore());
  const over = record({ state: 'completed', removed: true, finishedAt: 2_000 });
  await repository.commit(repository.change(undefined, over, eventOf(undefined, over, 'test')));
  const log = join(folders.logs, EXECUTION);
  mkdirSync(log, { recursive: true });
  let acknowledged = false;
  const housekeeper = new Housekeeper({
    ...{ repository, folders, clock: new FakeClock(), log: silentLog },
    acknowledged: () => acknowledged,
    rules: () => ({
      ...{ keepFinishedMs: HOUR, keepFinishedCount: 0 },
      housekeeping: { maxBytes: 0, everyMs: HOUR },
    }),
  });
  await housekeeper.look();
  t.ok(existsSync(log));
  t.not(await repository.get(EXECUTION), undefined);
  acknowledged = true;
  await housekeeper.look();
  t.notOk(existsSync(log));
  t.equal(await repository.get(EXECUTION), undefined);
});
