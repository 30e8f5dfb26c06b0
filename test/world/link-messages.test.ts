/** The path between requester and agents repeats, delays and reorders messages: each job still happens once. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { batchJob, lines } from '../kit/job-specs.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { Random } from '../chaos/random.ts';
import { readLedger, type Work } from '../chaos/work.ts';
import type { Cluster } from '../kit/cluster.ts';
import { linkWorld } from './link-world.ts';

t.setTimeout(300_000);
const JOBS = 24;
const TOGETHER = 3;

t.test('every message may come twice and late', { skip: natsServerSkip() }, async (t) => {
  const seed = Math.floor(Math.random() * 1_000_000);
  t.comment(`seed ${seed}`);
  const random = new Random(seed);
  const { cluster, agent, proxy } = await linkWorld(t, true);
  let repeated = 0;
  const delayMs = (): number => random.within(0, 2) * random.within(0, 100);
  proxy.fate = () => {
    if (random.next() < 0.5) return [delayMs()];
    repeated += 1;
    return [delayMs(), random.within(0, 400)];
  };
  const works = Array.from({ length: JOBS }, (_, i) => ({
    ...{ name: `job-${i}`, kind: 'ledger' as const, everyMs: 0, lines: 3, code: i % 5 },
    ledger: join(cluster.folder, `ledger-${i}`),
  }));
  const jobs: string[] = [];
  // In small groups: of many at once the link would make a few large messages.
  while (works.length > 0) {
    const group = await Promise.all(
      works.splice(0, TOGETHER).map(async (work) => ({ work, job: await submit(cluster, work) })),
    );
    for (const { work, job } of group) {
      jobs.push(job);
      await t.test(work.name, (t) => happenedOnce(t, cluster, { work, job }));
    }
  }
  t.ok(repeated > JOBS / TOGETHER, `${repeated} messages were repeated`);
  // A stream is one subject of one publisher, whose order a broker keeps.
  proxy.fate = () => [0];
  const first = jobs[0];
  if (first !== undefined) t.equal(await cluster.log(first), lines(3));
  await agent.ready();
  await agent.hasNo('executions');
});

function submit(cluster: Cluster, work: Work): Promise<string> {
  const Params = { File: work.ledger, Lines: work.lines, Code: work.code };
  return cluster.submit(batchJob({ Engine: { Type: 'ledger', Params } }));
}

async function happenedOnce(
  t: Test,
  cluster: Cluster,
  { work, job }: { readonly work: Work; readonly job: string },
): Promise<void> {
  const wanted = work.code === 0 ? 'Completed' : 'Failed';
  t.match(await cluster.ended(job, 60_000), { state: wanted });
  t.same(readLedger(work), { starts: 1, ends: 1 });
  const { events, outcome } = await cluster.execution(job);
  t.equal(outcome?.code, work.code);
  t.same(
    events.map(({ revision }) => revision),
    events.map((_, i) => i + 1),
    'every event once, in order',
  );
  const ends = (await cluster.told(job)).filter((line) => line.startsWith('Execution: '));
  t.equal(ends.length, 1);
}
