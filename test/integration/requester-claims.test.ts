/** What a node reports of executions that the requester does not have, of jobs that it has: its store is an older copy. */
import t from 'tap';
import { z } from 'zod';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import type { Teardown } from '../kit/teardown.ts';
import type { ExecutionReport } from '../../wire/messages.ts';
import { oneAgent } from './requester/one-agent.ts';
import type { RequesterProgram } from './requester/requester-program.ts';

t.setTimeout(120_000);
const skip = natsServerSkip();
const END = { outcome: { by: 'exit', code: 0, reason: '' } } as const;
const RESULT = { published: { type: 'local', params: {} } };
const detail = z.looseObject({ state: z.string(), reason: z.string(), desired: z.string() });

t.test('a second result of a partition is recorded and not accepted', { skip }, async (t) => {
  const { requester, agent, forgotten } = await setUp(t);
  await requester.submit('done');
  const { Job } = await requester.jobIs('done', 'Running');
  await agent.report([...agent.executions.keys()][0] ?? '', 'completed', { ...END, ...RESULT });
  await requester.jobIs('done', 'Completed');
  const late = await forgotten({ jobId: Job.ID, state: 'completed', ...END, ...RESULT });
  const told = await eventually('it to be recorded', () => executionOf(requester, late.slice(-8)));
  t.match(told, {
    state: 'cancelled',
    reason: /^stop \(the result of e-\S+ was accepted for this partition before\), code 0/,
    events: [{ to: 'completed', cause: /^script; not accepted: the result of e-/ }],
  });
  const { Executions, History } = await requester.jobIs('done', 'Completed');
  t.ok(
    Executions.Items.some(({ ID }) => ID === late),
    'it is one of its executions',
  );
  t.ok(History.Items.some(({ Event }) => Event.Message.startsWith('Claimed from n-one')));
  const results = await requester.call('GET', `/orchestrator/jobs/${Job.ID}/results`);
  t.equal(z.looseObject({ Items: z.array(z.unknown()) }).parse(results.body).Items.length, 1);
});

t.test('what runs of a job that is over is claimed, and stopped', { skip }, async (t) => {
  const { requester, agent, forgotten } = await setUp(t);
  const jobId = await jobThatIsOver(requester);
  const late = await forgotten({ jobId, state: 'running' });
  await eventually('the stop', () => agent.stops.includes(late));
  t.match(await executionOf(requester, late), { desired: 'stop' });
});

t.test(
  'claimed, and not yet stopped when the requester dies: stopped after that',
  { skip },
  async (t) => {
    const { requester, agent, forgotten } = await setUp(t);
    const jobId = await jobThatIsOver(requester);
    agent.refusals = Infinity;
    const late = await forgotten({ jobId, state: 'running' });
    await eventually('the claim', () => executionOf(requester, late));
    await requester.program.kill('SIGKILL');
    agent.refusals = 0;
    await requester.start();
    await eventually(
      'its end',
      async () => (await executionOf(requester, late))?.state === 'cancelled',
    );
    const { History } = await requester.job('over');
    const ends = History.Items.filter(({ Event }) => Event.Message.startsWith('Cancelled: '));
    t.equal(ends.length, 2, 'its end is in the history of its job too');
  },
);

t.test(
  'what runs of a daemon is claimed on a node that it had not aimed at',
  { skip },
  async (t) => {
    const { requester, agent, forgotten } = await setUp(t);
    const Constraints = [{ Key: 'zone', Operator: '=', Values: ['b'] }];
    await requester.submit('everywhere', { Type: 'daemon', Constraints });
    const { Job } = await requester.jobIs('everywhere', 'Queued');
    const found = await forgotten({ jobId: Job.ID, state: 'running' });
    const { Executions } = await requester.jobIs('everywhere', 'Running');
    t.match(Executions.Items, [{ ID: found, NodeID: agent.nodeId }]);
    t.strictSame([agent.placements, agent.stops], [[], []], 'nothing is placed or stopped');
  },
);

t.test(
  'of an unknown job, another version or an unknown token nothing is claimed',
  { skip },
  async (t) => {
    const { requester, agent, forgotten } = await setUp(t);
    await requester.submit('steady');
    const { Job } = await requester.jobIs('steady', 'Running');
    const token = { jobVersion: 1, partition: 0, attempt: 0 };
    const odd = [
      { jobId: `${Job.ID.slice(0, -4)}ffff` },
      { jobId: 'no id at all' },
      { jobId: Job.ID, token: { ...token, jobVersion: 2 } },
      { jobId: Job.ID, token: { ...token, partition: 1 } },
      { jobId: Job.ID, token: { ...token, attempt: -1 } },
      {},
    ];
    for (const more of odd) await forgotten({ state: 'running', ...more });
    const ours = [...agent.executions.keys()][0] ?? '';
    await agent.report(ours, 'completed', END);
    const { Executions } = await requester.jobIs('steady', 'Completed');
    t.strictSame(
      Executions.Items.map(({ ID }) => ID),
      [ours],
      'and the link goes on',
    );
    t.strictSame(agent.stops, [], 'nothing is stopped for it');
  },
);

/** A requester, and an agent that runs what the requester has forgotten. */
async function setUp(t: Teardown) {
  const { requester, agent } = await oneAgent(t, { behaviour: 'hold' });
  let count = 0;
  /** Reports one that the requester has never heard of; answers its id. */
  const forgotten = async (more: Partial<ExecutionReport>): Promise<string> => {
    count += 1;
    const id = `e-0190000${count}-0000-7000-8000-00000000000${count}`;
    const token = { jobVersion: 1, partition: 0, attempt: 0 };
    const { state = 'running' } = more;
    agent.executions.set(id, { token: more.token ?? token, state: 'accepted', revision: 0 });
    const jobId = more.jobId === undefined ? {} : { jobId: more.jobId };
    await agent.report(id, state, { ...more, ...jobId });
    return id;
  };
  return { requester, agent, forgotten };
}

/** It ran, and was stopped; answers its id. */
async function jobThatIsOver(requester: RequesterProgram): Promise<string> {
  await requester.submit('over');
  const { Job } = await requester.jobIs('over', 'Running');
  await requester.call('DELETE', `/orchestrator/jobs/${Job.ID}`);
  await requester.jobIs('over', 'Stopped');
  return Job.ID;
}

async function executionOf(requester: RequesterProgram, id: string) {
  const { status, body } = await requester.call('GET', `/limpet/executions/${id}`);
  return status === 200 ? detail.parse(body) : undefined;
}
