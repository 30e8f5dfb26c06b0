import t from 'tap';
import type { CrashPoint } from '../../core/crash-points.ts';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { oneAgent } from './requester/one-agent.ts';
import { RequesterProgram } from './requester/requester-program.ts';
import { ScriptedAgent } from './requester/scripted-agent.ts';

// A program is started eight times, on a machine that may be busy.
t.setTimeout(300_000);

const skip = natsServerSkip();

/** Turn 1 is the start, 2 the handshake, 3 the submission, 4 and 5 the reports. */
const PASSAGES: readonly (readonly [CrashPoint, number])[] = [
  ...[2, 3, 4].map((n) => ['requester.turn.before-commit', n] as const),
  ...[2, 3, 4].map((n) => ['requester.turn.after-commit', n] as const),
  ['requester.link.before-ack', 1],
];

/** Submits unless it is there: what a client does that never got its answer. */
async function submitted(requester: RequesterProgram, name: string): Promise<boolean> {
  if ((await requester.call('GET', `/orchestrator/jobs/${name}`)).status === 200) return true;
  return (await requester.submit(name)).status === 200;
}

/** Starts it again, as a supervisor would, when it has died. */
function supervise(requester: RequesterProgram): { stop(): Promise<void> } {
  let over = false;
  const watching = (async () => {
    await eventually('the crash', () => over || requester.program.exit, 30_000);
    if (!over) await requester.start();
  })();
  return {
    stop: () => {
      over = true;
      return watching;
    },
  };
}

t.test(
  'killed between any two steps, the requester loses nothing and does nothing twice',
  { skip },
  async (t) => {
    const nats = await startNatsServer(t);
    for (const [i, [point, passage]] of PASSAGES.entries()) {
      const where = `${point}:${passage}`;
      const requester = new RequesterProgram(t, nats.url);
      await requester.start({ LIMPET_CRASH_AT: where });
      const first = requester.program;
      const supervisor = supervise(requester);
      const agent = await ScriptedAgent.start(t, {
        natsUrl: nats.url,
        nodeId: `n-${i}`,
        behaviour: 'complete',
      });
      await eventually(`${where}: the handshake`, () => agent.session, 15_000);
      await eventually(`${where}: the submission`, () => submitted(requester, 'once'), 20_000);
      const { Executions, History } = await eventually(
        `${where}: the end of the job`,
        async () => {
          const view = await requester.job('once');
          return view.Job.State.StateType === 'Completed' ? view : undefined;
        },
        20_000,
      );
      await supervisor.stop();
      t.equal(first.exit?.signal, 'SIGKILL', `${where} was passed`);
      t.equal(Executions.Items.length, 1, `${where}: one execution`);
      t.strictSame(
        agent.placements.map(({ executionId }) => executionId),
        [Executions.Items[0]?.ID],
        `${where}: placed once`,
      );
      t.strictSame(
        History.Items.map(({ SeqNum }) => SeqNum),
        History.Items.map((_, n) => n + 1),
        `${where}: history without a gap`,
      );
      t.equal(
        History.Items.filter(
          ({ Event }) => Event.Topic === 'State Update' && /Completed/.test(Event.Message),
        ).length,
        1,
        where,
      );
      await agent.stop();
      await requester.program.kill('SIGTERM');
    }
  },
);

t.test(
  'killed while a job waits and while one runs, both go on, and the node is not harmed',
  { skip },
  async (t) => {
    const { requester, agent } = await oneAgent(t, { behaviour: 'hold', cpuMillis: 500 });
    await requester.submit('runs');
    const { Executions } = await requester.jobIs('runs', 'Running');
    await requester.submit('waits');
    await requester.jobIs('waits', 'Queued');
    const session = agent.session;
    await requester.program.kill('SIGKILL');
    await agent.report(Executions.Items[0]?.ID ?? '', 'completed', {
      outcome: { by: 'exit', code: 0, reason: '' },
    });
    await requester.start();
    await requester.jobIs('runs', 'Completed');
    await requester.jobIs('waits', 'Running');
    t.equal(agent.stops.length, 0);
    t.not(agent.session, session, 'nothing is sent to a node before a new handshake');
    t.equal(agent.placements.length, 2);
  },
);
