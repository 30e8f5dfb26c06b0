import t from 'tap';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { ownUnit } from '../../adapters/systemd/own-unit.ts';
import { propertiesOf, type AskUnit } from '../../adapters/systemd/unit-properties.ts';
import { unitProblems } from '../../agent/unit/unit-check.ts';

const V2 = '0::/system.slice/limpet-agent.service\n';

t.test('the unit is found by the cgroup of every version', (t) => {
  const agent = { name: 'limpet-agent.service', user: false };
  const v1 = [
    '12:pids:/system.slice/limpet-agent.service',
    '2:cpu,cpuacct:/',
    '1:name=systemd:/system.slice/limpet-agent.service',
  ];
  t.strictSame(ownUnit(V2), agent, 'v2');
  t.strictSame(ownUnit(v1.join('\n')), agent, 'v1');
  t.strictSame(ownUnit([...v1, V2].join('\n')), agent, 'hybrid');
  t.strictSame(ownUnit(`1:name=systemd:/docker/0a1b\n${V2}`), agent, 'systemd in a container');
  t.strictSame(ownUnit('0::/system.slice/limpet-agent.service/plugins\n'), agent, 'delegated');
  t.end();
});

t.test("a unit of a user's own manager is told apart", (t) => {
  const text = '0::/user.slice/user-1000.slice/user@1000.service/app.slice/limpet.service\n';
  t.strictSame(ownUnit(text), { name: 'limpet.service', user: true });
  t.end();
});

t.test('a session, a terminal, a container and a bare system have no unit', (t) => {
  const none = [
    '0::/user.slice/user-0.slice/session-3.scope\n',
    '0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-terminal.scope\n',
    '0::/system.slice/docker-0a1b.scope\n',
    '4:memory:/system.slice/limpet-agent.service\n0::/\n',
    '0::/\n',
    '',
  ];
  t.strictSame(
    none.map((text) => ownUnit(text)),
    none.map(() => undefined),
  );
  t.end();
});

t.test('what systemctl prints is taken apart at the first equals sign', (t) => {
  const read = propertiesOf('KillMode=process\nEnvironment=A=1 B=2\nOOMPolicy=\n\n');
  t.strictSame(
    [...read],
    [
      ['KillMode', 'process'],
      ['Environment', 'A=1 B=2'],
      ['OOMPolicy', ''],
    ],
  );
  t.end();
});

const GOOD = {
  MainPID: String(process.pid),
  KillMode: 'process',
  SendSIGKILL: 'yes',
  OOMPolicy: 'continue',
  Delegate: 'yes',
};

interface World {
  readonly cgroup?: string;
  readonly processExecutor?: boolean;
  readonly ask?: AskUnit;
}

async function problems(found: Readonly<Record<string, string>>, world: World = {}) {
  const warned: unknown[] = [];
  const answer: AskUnit = () => Promise.resolve(new Map(Object.entries({ ...GOOD, ...found })));
  const told = await unitProblems({
    processExecutor: world.processExecutor ?? false,
    cgroup: () => Promise.resolve(world.cgroup ?? V2),
    ask: world.ask ?? answer,
    log: { ...silentLog, warn: (event, fields) => warned.push([event, fields?.['reason']]) },
  });
  return { told, warned };
}

t.test(
  'a unit that would end plugins and runs with the agent is named, with what to do',
  async (t) => {
    const { told, warned } = await problems({ KillMode: 'control-group' });
    t.strictSame(told, [
      'the unit limpet-agent.service has KillMode=control-group: it ends plugins and runs with the agent; ' +
        'set KillMode=process in its [Service] (systemctl edit limpet-agent.service) and restart it',
    ]);
    t.strictSame(warned, [['unit.kills-work', told[0]]]);
  },
);

t.test('each setting is judged by what it does', async (t) => {
  const count = async (found: Readonly<Record<string, string>>, world: World = {}) =>
    (await problems(found, world)).told.length;
  t.equal(await count({}), 0, 'the unit that we ship');
  t.equal(await count({}, { processExecutor: true }), 0);
  t.equal(await count({ KillMode: 'none' }), 0);
  t.equal(await count({ KillMode: 'mixed' }), 1);
  t.equal(await count({ KillMode: 'mixed', SendSIGKILL: 'no' }), 0, 'nobody is signalled');
  t.equal(await count({ KillMode: 'control-group', SendSIGKILL: 'no' }), 1, 'TERM goes to all');
  t.equal(await count({ OOMPolicy: 'stop' }), 1);
  t.equal(await count({ OOMPolicy: 'kill' }), 1);
  t.equal(await count({ OOMPolicy: '' }), 0, 'a systemd that does not know it');
  t.equal(await count({ Delegate: 'no' }), 0, 'containers have cgroups of their own');
  t.equal(await count({ Delegate: 'no' }, { processExecutor: true }), 1);
  t.equal(await count({ KillMode: 'mixed', OOMPolicy: 'stop' }), 2);
});

t.test(
  "only the unit's own program is told: not what somebody starts below another service",
  async (t) => {
    const bad = { KillMode: 'control-group' };
    t.equal((await problems({ ...bad, MainPID: '1234567' })).told.length, 0);
    t.equal((await problems({ ...bad, MainPID: '0' })).told.length, 0);
    const byWrapper = await problems({ ...bad, MainPID: String(process.ppid) });
    t.equal(byWrapper.told.length, 1, 'started by a shell that is the main process');
    const session = await problems(bad, { cgroup: '0::/user.slice/session-3.scope\n' });
    t.equal(session.told.length, 0);
  },
);

t.test('not being able to ask is no problem', async (t) => {
  const failed = await problems({}, { ask: () => Promise.reject(new Error('no bus')) });
  t.strictSame(failed, { told: [], warned: [] });
});
