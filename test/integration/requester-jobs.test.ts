import t from 'tap';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { reportOf } from './requester/agent-words.ts';
import { oneAgent } from './requester/one-agent.ts';
import { ScriptedAgent } from './requester/scripted-agent.ts';

t.setTimeout(180_000);

const skip = natsServerSkip();

t.test(
  'a job goes from submission to completion, and its history tells it',
  { skip },
  async (t) => {
    const { requester, agent } = await oneAgent(t, { behaviour: 'complete' });
    const submitted = await requester.submit('hello', { Count: 2 });
    t.equal(submitted.status, 200);
    const { Executions, History } = await requester.jobIs('hello', 'Completed');
    t.match(
      Executions.Items.map(({ ComputeState }) => ComputeState.StateType),
      [9, 9],
    );
    t.equal(Executions.Items[0]?.RunOutput.Stdout, 'done\n');
    t.equal(agent.placements.length, 2);
    t.strictSame(
      History.Items.map(({ SeqNum }) => SeqNum),
      History.Items.map((_, i) => i + 1),
    );
    const told = History.Items.map(({ Event }) => Event.Message);
    for (const message of [
      'Job submitted',
      'Requested execution on n-one',
      'Running',
      'Completed successfully',
    ])
      t.ok(told.includes(message), message);
  },
);

t.test('reports that come twice, late or out of order change nothing', { skip }, async (t) => {
  const { requester, agent } = await oneAgent(t, { behaviour: 'hold' });
  await requester.submit('steady');
  const { Executions } = await requester.jobIs('steady', 'Running');
  const id = Executions.Items[0]?.ID ?? '';
  const held = agent.executions.get(id);
  if (held === undefined) throw new Error('the agent has no such execution');
  const raw = (seq: number, after: number, report: ReturnType<typeof reportOf>) =>
    agent.pushRaw({
      v: 1,
      session: agent.session,
      incarnation: agent.incarnation,
      after,
      rows: [{ seq, body: { type: 'report', report } }],
    });
  const failed = { ...held, state: 'failed' as const };
  t.strictSame(
    await raw(1, 0, reportOf(id, { ...failed, revision: 99 })),
    { type: 'ack', cursor: 1 },
    'a sequence number once taken is not taken again',
  );
  t.strictSame(
    await raw(9, 8, reportOf(id, { ...failed, revision: 99 })),
    { type: 'resume', cursor: 1 },
    'a gap is not jumped',
  );
  t.strictSame(
    await raw(2, 1, reportOf(id, { ...failed, revision: 1 })),
    { type: 'ack', cursor: 2 },
    'an old revision is acknowledged',
  );
  t.strictSame(
    await raw(
      3,
      2,
      reportOf(id, { ...failed, revision: 99, token: { ...held.token, attempt: 5 } }),
    ),
    { type: 'ack', cursor: 3 },
  );
  t.equal((await requester.job('steady')).Job.State.StateType, 'Running', 'none of them counted');
  await raw(4, 3, reportOf(id, { ...held, state: 'completed', revision: 50 }));
  await requester.jobIs('steady', 'Completed');
  await raw(5, 4, reportOf(id, { ...failed, revision: 51 }));
  t.equal((await requester.job('steady')).Job.State.StateType, 'Completed', 'the end stays');
  const detail = await requester.call('GET', `/limpet/executions/${id.slice(-10)}`);
  t.match(detail.text, /late: the node reported failed after this had ended as completed/);
});

t.test('a node that reports the work of another one is not believed', { skip }, async (t) => {
  const { requester, agent, natsUrl } = await oneAgent(t, { behaviour: 'hold' });
  await requester.submit('mine');
  const { Executions } = await requester.jobIs('mine', 'Running');
  const id = Executions.Items[0]?.ID ?? '';
  const held = agent.executions.get(id);
  if (held === undefined) throw new Error('the agent has no such execution');
  const other = await ScriptedAgent.start(t, { natsUrl, nodeId: 'n-two', behaviour: 'hold' });
  await eventually('its handshake', () => other.session);
  other.executions.set(id, held);
  await other.report(id, 'failed');
  await eventually('its report to be taken', () => other.acknowledged);
  t.equal((await requester.job('mine')).Job.State.StateType, 'Running');
  await agent.report(id, 'completed', { outcome: { by: 'exit', code: 0, reason: '' } });
  await requester.jobIs('mine', 'Completed');
});

t.test('a stopped job is stopped on its node, once', { skip }, async (t) => {
  const { requester, agent } = await oneAgent(t, { behaviour: 'hold' });
  await requester.submit('endless');
  const { Job } = await requester.jobIs('endless', 'Running');
  const tail = Job.ID.slice(-8);
  t.match(await requester.call('DELETE', `/orchestrator/jobs/${tail}`, { reason: 'enough' }), {
    status: 200,
  });
  const view = await requester.jobIs('endless', 'Stopped');
  t.equal(view.Job.State.Message, 'enough');
  await eventually(
    'the execution to be cancelled',
    async () => (await requester.job('endless')).Executions.Items[0]?.ComputeState.StateType === 11,
  );
  t.equal(agent.stops.length, 1);
  t.match(await requester.call('DELETE', '/orchestrator/jobs/endless'), {
    status: 200,
    body: { EvaluationID: '' },
  });
});

t.test('a job that its node declines waits with the reason', { skip }, async (t) => {
  const { requester, agent } = await oneAgent(t, { behaviour: 'decline' });
  await requester.submit('unwanted');
  await eventually('the node to decline', () => agent.placements.length === 1);
  const { Job } = await requester.jobIs('unwanted', 'Queued');
  t.match(Job.State.Message, /n-one declined it: no room on the disk/);
});

t.test(
  'a silent node becomes unknown, keeps its work, and is connected again by its next word',
  { skip },
  async (t) => {
    const { requester, agent } = await oneAgent(t, { behaviour: 'hold' });
    await requester.submit('patient');
    await requester.jobIs('patient', 'Running');
    agent.silent = true;
    const node = async () => (await requester.call('GET', '/orchestrator/nodes/one')).text;
    await eventually('the node to be unknown', async () =>
      /"LastError":"unknown: no heartbeat for 1.5 s"/.test(await node()),
    );
    await requester.submit('later');
    t.match(
      (await requester.jobIs('later', 'Queued')).Job.State.Message,
      /n-one is unknown: no heartbeat/,
    );
    t.equal((await requester.job('patient')).Job.State.StateType, 'Running');
    agent.silent = false;
    await requester.jobIs('later', 'Running');
    t.match(await node(), /"Connection":"CONNECTED"/);
  },
);

t.test('a list that may lack something makes nothing lost', { skip }, async (t) => {
  const { requester, agent } = await oneAgent(t, { behaviour: 'hold' });
  await requester.submit('there');
  const { Executions } = await requester.jobIs('there', 'Running');
  agent.forget(Executions.Items[0]?.ID ?? '');
  const shaken = async (says: typeof agent.handshakeSays) => {
    const before = agent.handshakes.length;
    agent.handshakeSays = says;
    agent.handshakeAgain();
    await eventually('the handshake', () => agent.handshakes.length > before);
    return (await requester.job('there')).Job.State.StateType;
  };
  t.equal(await shaken((message) => ({ ...message, partial: true })), 'Running', 'too long');
  const older = ({ link, ...message }: Parameters<typeof agent.handshakeSays>[0]) => ({
    ...message,
    link: { ...link, lastSeq: link.lastSeq - 1 },
  });
  t.equal(await shaken(older), 'Running', 'older than a report that was taken');
  t.equal(await shaken((message) => message), 'Failed', 'whole');
});

t.test(
  'what a node no longer has is lost; what the requester does not know is named',
  { skip },
  async (t) => {
    const { requester, agent } = await oneAgent(t, { behaviour: 'hold' });
    await requester.submit('gone');
    const { Executions } = await requester.jobIs('gone', 'Running');
    agent.forget(Executions.Items[0]?.ID ?? '');
    const stranger = 'e-00000000-0000-7000-8000-000000000000';
    agent.executions.set(stranger, {
      token: { jobVersion: 1, partition: 0, attempt: 0 },
      state: 'running',
      revision: 4,
    });
    agent.handshakeAgain();
    const { Job } = await requester.jobIs('gone', 'Failed');
    t.match(Job.State.Message, /partition 0 failed on n-one: lost/);
    t.match(agent.handshakes.at(-1), { type: 'accepted', unknown: [stranger] });
  },
);

t.test(
  'logs follow from the start of the work to its end, across a stream that breaks',
  { skip },
  async (t) => {
    const whole = 'one\ngap two\nthree\n';
    let opened = 0;
    const log = async function* (from: number): AsyncIterable<string> {
      opened += 1;
      if (opened === 1) {
        yield whole.slice(from, 4);
        yield whole.slice(4, 12);
        throw new Error('the wire was cut');
      }
      for (const line of whole.slice(from).match(/.*\n/g) ?? []) yield line;
      await Promise.resolve();
    };
    const { requester, agent } = await oneAgent(t, { behaviour: 'hold', log });
    await requester.submit('speaker');
    const { Executions } = await requester.jobIs('speaker', 'Running');
    const reading = fetch(`${requester.url}/api/v1/limpet/jobs/speaker/logs?follow=true`, {
      headers: { authorization: `Bearer ${requester.token}` },
      signal: AbortSignal.timeout(10_000),
    }).then((response) => response.text());
    await eventually('the stream to be opened again', () => opened > 1);
    await agent.report(Executions.Items[0]?.ID ?? '', 'completed', {
      outcome: { by: 'exit', code: 0, reason: '' },
    });
    const text = await reading;
    const data = [...text.matchAll(/"data":"([^"]*)"/g)].map(([, base64]) =>
      Buffer.from(base64 ?? '', 'base64').toString(),
    );
    t.equal(data.join(''), whole, 'nothing twice, the gap neither');
    t.match(text, /event: end\ndata: \{"code":"finished"/);
  },
);

t.test(
  'a node that once refused a push and beats on is asked for a handshake, and gets its work',
  { skip },
  async (t) => {
    const { requester, agent } = await oneAgent(t, { behaviour: 'hold' });
    agent.refusals = 1;
    await requester.submit('refused-once');
    await requester.jobIs('refused-once', 'Running');
    t.equal(agent.placements.length, 1);
    t.equal(agent.handshakes.length, 2);
  },
);
