/** Stores of older versions open; those of newer ones are refused in one line. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { z } from 'zod';
import { openStore } from '../../adapters/store/level-store.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { startDist } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(240_000);

const kept = fileURLToPath(new URL('../../fixtures/store', import.meta.url));
const DONE = 'e-01900000-0000-7000-8000-00000000000c';
const RUNNING = 'e-01900000-0000-7000-8000-00000000000d';
const JOB = 'j-01900000-0000-7000-8000-00000000000b';

t.test(
  'what version 1 of the agent wrote is read: its history, and what it left running',
  async (t) => {
    const cluster = await startCluster(t);
    const agent = cluster.addAgent();
    cpSync(join(kept, 'agent-v1'), agent.folder, { recursive: true });
    const { nodeId, degraded, quarantined } = await agent.start();
    t.equal(nodeId, 'n-01900000-0000-7000-8000-00000000000a');
    t.same([degraded, quarantined], [[], []]);
    t.match(await agent.history(DONE), [{ to: 'accepted' }, { to: 'completed' }]);
    const end = await eventually('what ran to end', async () =>
      (await agent.history(RUNNING)).find(({ to }) => to === 'failed'),
    );
    t.ok(end);
  },
);

t.test('what version 1 of the requester wrote is read', async (t) => {
  const cluster = await startCluster(t);
  await cluster.requester.kill();
  // A data folder of that version, without what a later one has put beside the store.
  rmSync(cluster.requesterFolder, { recursive: true });
  cpSync(join(kept, 'requester-v1'), cluster.requesterFolder, { recursive: true });
  await cluster.startRequester();
  t.match(await cluster.job(JOB), { state: 'Completed' });
  t.match(await cluster.executions(JOB), [{ id: DONE, state: 'completed' }]);
  t.match(await cluster.told(JOB), ['Submission: Job submitted']);
  const status = z.looseObject({ RequesterID: z.string() });
  t.match(await cluster.api.get('limpet/status', status), { RequesterID: 'r-1' });
});

for (const [program, folder] of [
  ['agent', 'agent-v1'],
  ['requester', 'requester-v1'],
] as const)
  t.test(`a store of a newer ${program} is refused in one line`, async (t) => {
    const data = join(tempDir(t), 'data');
    mkdirSync(data);
    cpSync(join(kept, folder), data, { recursive: true });
    const newer = { folder: join(data, 'store'), createIfMissing: false, schemaVersion: 2 };
    await (await openStore(newer))[Symbol.asyncDispose]();
    const started = await startDist(t, program, { args: ['--data', data] });
    t.match(await started.waitForExit(20_000), { code: 1 });
    const [line = '', ...more] = started.stderr.trim().split('\n');
    t.same(more, []);
    t.match(line, /schema version 2, this program knows 1; use the newer program/);
  });
