import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import t, { type Test } from 'tap';
import { parseStat, procProcesses } from '../../adapters/processes/proc.ts';
import { eventually } from '../kit/eventually.ts';

t.setTimeout(120_000);

const processes = procProcesses();

function sleeper(
  t: Test,
  env: NodeJS.ProcessEnv = {},
  command = ['sleep', '60'],
): ChildProcess & { pid: number } {
  const [program = 'sleep', ...args] = command;
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'ignore',
    detached: true,
  });
  if (child.pid === undefined) throw new Error(`cannot spawn ${program}`);
  t.teardown(() => child.kill('SIGKILL'));
  return Object.assign(child, { pid: child.pid });
}

function identify(pid: number): NonNullable<ReturnType<typeof processes.identify>> {
  const identity = processes.identify(pid);
  if (identity === undefined) throw new Error(`process ${pid} has no identity`);
  return identity;
}

t.test('a live process is identified by pid, start time and boot', (t) => {
  const identity = identify(process.pid);
  t.match(identity, { pid: process.pid, startTime: /^\d+$/, bootId: /^[0-9a-f-]{36}$/ });
  t.equal(processes.look(identity), 'alive');
  t.end();
});

t.test('without a free descriptor nothing is told of a process, least of all its end', (t) => {
  const identity = identify(process.pid);
  const limit = (most: string): void =>
    void execFileSync('prlimit', [`--pid=${process.pid}`, `--nofile=${most}:`]);
  const before = execFileSync('sh', ['-c', 'ulimit -Sn'], { encoding: 'utf8' }).trim();
  limit('200');
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    t.throws(() => processes.look(identity), { code: 'EMFILE' });
    t.throws(() => processes.findByEnv('PATH', ''), { code: 'EMFILE' });
  }
  for (const fd of taken) closeSync(fd);
  limit(before);
  t.equal(processes.look(identity), 'alive');
  t.end();
});

t.test('the stat line is cut at its last parenthesis', (t) => {
  const tail = 'S 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1';
  t.match(parseStat(`77 (a) b (c) d) ${tail}`), {
    state: 'S',
    processGroup: 77,
    startTime: '987654',
  });
  t.equal(parseStat('77 (x) S 1'), undefined);
  t.end();
});

t.test('a followed process is told as alive, stopped and gone', async (t) => {
  const child = sleeper(t);
  using followed = processes.follow(identify(child.pid));
  t.equal(followed.look(), 'alive');
  child.kill('SIGSTOP');
  await eventually('the stop', () => followed.look() === 'stopped');
  child.kill('SIGCONT');
  await eventually('life', () => followed.look() === 'alive');
  child.kill('SIGKILL');
  await eventually('the end', () => followed.look() === 'gone');
});

t.test('of a pid that is another process by now nothing is followed', (t) => {
  const child = sleeper(t);
  const identity = { ...identify(child.pid), startTime: '1' };
  using followed = processes.follow(identity);
  t.equal(followed.look(), 'gone');
  child.kill('SIGSTOP');
  t.equal(followed.look(), 'gone');
  t.end();
});

t.test('forged identities are told apart and never signalled', (t) => {
  const child = sleeper(t);
  const identity = identify(child.pid);
  const forged = [
    ['reused', { ...identity, startTime: '1' }],
    ['rebooted', { ...identity, bootId: '00000000-0000-0000-0000-000000000000' }],
    ['reused', { ...identity, pid: 1 }],
    ['gone', { ...identity, pid: 4_194_303 }],
    ['gone', { ...identity, pid: -child.pid }],
  ] as const;
  for (const [look, one] of forged) {
    t.equal(processes.look(one), look);
    t.equal(processes.signal(one, 'SIGKILL'), false);
  }
  t.equal(processes.look(identity), 'alive');
  t.end();
});

t.test('a stopped process is stopped, a killed one is no more', async (t) => {
  const child = sleeper(t);
  const identity = identify(child.pid);
  t.equal(processes.signal(identity, 'SIGSTOP'), true);
  await eventually('the child stops', () => processes.look(identity) === 'stopped');
  t.equal(processes.signal(identity, 'SIGKILL'), true);
  await once(child, 'exit');
  t.equal(processes.look(identity), 'gone');
  t.equal(processes.signal(identity, 'SIGKILL'), false);
  t.equal(processes.identify(child.pid), undefined);
});

t.test('a zombie is dead', async (t) => {
  const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => parent.kill('SIGKILL'));
  const [line]: unknown[] = await once(parent.stdout, 'data');
  const identity = identify(Number(String(line)));
  t.equal(
    await eventually('the child becomes a zombie', () => {
      const look = processes.look(identity);
      return look === 'alive' ? undefined : look;
    }),
    'zombie',
  );
  t.equal(processes.identify(identity.pid), undefined);
  t.equal(processes.signal(identity, 'SIGKILL'), false);
});

t.test('a group signal reaches the children of a group leader', async (t) => {
  const child = sleeper(t, { LIMPET_TEST_GROUP: String(process.pid) }, [
    'sh',
    '-c',
    'sleep 60 & wait',
  ]);
  const members = (): readonly number[] =>
    processes.findByEnv('LIMPET_TEST_GROUP', String(process.pid));
  await eventually('both processes run', () => members().length === 2);
  t.equal(processes.signal(identify(child.pid), 'SIGKILL', { group: true }), true);
  await eventually('both processes are gone', () => members().length === 0);
});

t.test('a process is found by a variable with exactly that value', async (t) => {
  const child = sleeper(t, { LIMPET_TEST_FIND: 'abc', OTHER: 'LIMPET_TEST_FIND=ab' });
  await eventually('it is found', () =>
    processes.findByEnv('LIMPET_TEST_FIND', 'abc').includes(child.pid),
  );
  t.notOk(processes.findByEnv('LIMPET_TEST_FIND', 'ab').includes(child.pid));
  t.notOk(processes.findByEnv('TEST_FIND', 'abc').includes(child.pid));
});
