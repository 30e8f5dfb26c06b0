import t, { type Test } from 'tap';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../scripts/programs.mjs';
import { eventually } from '../kit/eventually.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(120_000);

const HOLDER = join(import.meta.dirname, '../../plugins/sdk/held/holder.sh');
const busybox = findProgram('busybox');
const shells = [
  { name: 'sh', shell: ['/bin/sh'], skip: false },
  {
    name: 'busybox sh',
    shell: [busybox ?? '', 'sh'],
    skip: busybox === undefined ? 'no busybox on this machine' : false,
  },
] as const;

function runFolder(t: Test): string {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'work'));
  return folder;
}

const lines = (folder: string, name: string) => {
  const file = join(folder, name);
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
};

for (const { name, shell, skip } of shells)
  t.test(`held by ${name}`, { skip }, async (t) => {
    /** Starts a holder as the executor does; answers its pid. */
    const hold = (t: Test, folder: string, script: string) => {
      const [program, ...first] = shell;
      const args = [...first, HOLDER, folder, '1', '0', '', 'work', 'sh', '-c', script];
      const child = spawn(program, args, {
        detached: true,
        stdio: [
          'ignore',
          openSync(join(folder, 'stdout'), 'a'),
          openSync(join(folder, 'stderr'), 'a'),
        ],
        env: { PATH: process.env['PATH'], LIMPET_RUN: folder },
      });
      const { pid } = child;
      if (pid === undefined) throw new Error('no holder');
      t.teardown(() => child.exitCode ?? child.signalCode ?? process.kill(-pid, 'SIGKILL'));
      return pid;
    };
    const exitRecord = (folder: string) =>
      eventually('the exit record', () => lines(folder, 'exit')[0], 15_000);

    t.test('of many holders of one run exactly one runs it', async (t) => {
      const folder = runFolder(t);
      const script = 'echo ran; until [ -e enough ]; do sleep 0.05; done; exit 7';
      const pids = Array.from({ length: 8 }, () => hold(t, folder, script));
      await eventually('the run', () => lines(folder, 'stdout').length > 0);
      const holders = () => pids.filter((pid) => existsSync(`/proc/${pid}`));
      await eventually('the others to leave', () => holders().length === 1);
      t.match(lines(folder, 'claim')[0], new RegExp(`^${holders()[0]} \\d+ [-0-9a-f]{36}$`));
      writeFileSync(join(folder, 'work', 'enough'), '');
      t.match(await exitRecord(folder), /^exit 7 \d{13} exited$/);
      t.same(lines(folder, 'stdout'), ['ran']);
    });

    t.test('a killed command is a signal, a missing one is 127', async (t) => {
      const killed = runFolder(t);
      hold(t, killed, 'kill -9 $$');
      t.match(await exitRecord(killed), /^signal 137 \d{13} signal 9$/);
      t.same(lines(killed, 'stderr'), [], 'the shell adds nothing to the output');
      const missing = runFolder(t);
      hold(t, missing, 'exec no-such-program');
      t.match(await exitRecord(missing), /^exit 127 /);
    });

    t.test('the command has its default signals and its own session', async (t) => {
      const folder = runFolder(t);
      hold(t, folder, 'trap "exit 3" INT; kill -INT $$; sleep 1; exit 4');
      t.match(await exitRecord(folder), /^exit 3 /);
    });

    t.test('what a command leaves behind ends with it', async (t) => {
      const folder = runFolder(t);
      hold(t, folder, 'sleep 300 & echo $!');
      t.match(await exitRecord(folder), /^exit 0 /);
      const left = Number(lines(folder, 'stdout')[0]);
      await eventually('the child to be gone', () => !existsSync(`/proc/${left}`));
    });

    t.test('a deadline ends it, a grace of 1 s included', async (t) => {
      const folder = runFolder(t);
      writeFileSync(join(folder, 'until'), `${Date.now() + 500}\n`);
      hold(t, folder, 'trap "" TERM; while :; do sleep 0.1; done');
      t.match(await exitRecord(folder), /^limit 137 \d{13} deadline$/);
    });

    t.test('an order with a longer grace does not put off the KILL of the deadline', async (t) => {
      const folder = runFolder(t);
      writeFileSync(join(folder, 'until'), `${Date.now() + 500}\n`);
      hold(t, folder, "trap '' TERM; while :; do sleep 0.1; done");
      await eventually('the TERM', () => existsSync(join(folder, 'ending')), 15_000);
      writeFileSync(join(folder, 'stop'), 'stop 15 600000 asked\n');
      t.match(await exitRecord(folder), /^limit 137 \d{13} deadline$/);
    });

    t.test('an order to stop wins over the deadline, its reason is kept', async (t) => {
      const folder = runFolder(t);
      writeFileSync(join(folder, 'until'), `${Date.now() + 60_000}\n`);
      hold(t, folder, 'echo up; sleep 300');
      await eventually('the run', () => lines(folder, 'stdout')[0]);
      writeFileSync(join(folder, 'stop'), 'stop 15 5000 the node drains\n');
      t.match(await exitRecord(folder), /^stop 143 \d{13} the node drains$/);
    });

    t.test('when the holder is killed, the command ends too', async (t) => {
      const folder = runFolder(t);
      const holder = hold(t, folder, 'echo $$; sleep 300');
      const command = Number(await eventually('the run', () => lines(folder, 'stdout')[0]));
      process.kill(holder, 'SIGKILL');
      await eventually('the command to be gone', () => !existsSync(`/proc/${command}`), 5000);
      t.notOk(existsSync(join(folder, 'exit')), 'nothing is invented');
    });
  });
