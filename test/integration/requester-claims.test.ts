/** What a node reports of executions that the requester does not have, of jobs that it has: its store is an older copy. */
import t from 'tap';
import { z } from 'zod';
import { eventually } from '../kit/eventually.ts';
import { natsServerPath, startNatsServer } from '../kit/nats-server.ts';
import type { ExecutionReport } from '../../wire/messages.ts';
import { RequesterProgram } from './requester/requester-program.ts';
import { ScriptedAgent } from './requester/scripted-agent.ts';

t.setTimeout(120_000);
const skip = natsServerPath() === undefined ? 'needs nats-server' : false;
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
  const told = await eventually('it to be recorded', () => executionOf(requester, late));
  t.match(told, {
    state: 'cancelled',
    reason: /^stop \(the result of e-\S+ was accepted for this partition before\), code 0/,
  });
  const { History } = await requester.jobIs('done', 'Completed');
  t.ok(History.Items.some(({ Event }) => Event.Message.startsWith('Claimed from n-one')));
  const results = await requester.call('GET', `/orchestrator/jobs/${Job.ID}/results`);
  t.equal(z.looseObject({ Items: z.array(z.unknown()) }).parse(results.body).Items.length, 1);
});

t.test('what runs of a job that is over is claimed, and stopped', { skip }, async (t) => {
  const { requester, agent, forgotten } = await setUp(t);
  await requester.submit('over');
  const { Job } = await requester.jobIs('over', 'Running');
  await requester.call('DELETE', `/orchestrator/jobs/${Job.ID}`);
  await requester.jobIs('over', 'Stopped');
  const late = await forgotten({ jobId: Job.ID, state: 'running' });
  await eventually('the stop', () => agent.stops.includes(late));
  t.match(await executionOf(requester, late), { desired: 'stop' });
});

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

async function setUp(t: Parameters<typeof startNatsServer>[0]) {
  const nats = await startNatsServer(t);
  const requester = new RequesterProgram(t, nats.url);
  await requester.start();
  const agent = await ScriptedAgent.start(t, {
    natsUrl: nats.url,
    nodeId: 'n-one',
    behaviour: 'hold',
  });
  await eventually('the handshake', () => agent.session);
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

async function executionOf(requester: RequesterProgram, id: string) {
  const { status, body } = await requester.call('GET', `/limpet/executions/${id}`);
  return status === 200 ? detail.parse(body) : undefined;
}
