/** `limpet plugin test` as a person runs it: its exit codes, and that it leaves nothing behind, however it ends. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { straysOf } from '../../plugins/conformance/strays.ts';
import { eventually } from '../kit/eventually.ts';
import { programDir } from '../kit/program-dir.ts';
import { ROOT } from './kit.ts';

const PLUGIN = ['--', process.execPath, join(ROOT, 'dist/fixtures/broken-plugin.js')];
const BOUND_MS = 60_000;

t.setTimeout(300_000);

/** The suite with a folder of its own for what is temporary. */
function test(t: Test, args: readonly string[]) {
  const folder = programDir(t);
  const child = spawn(process.execPath, [join(ROOT, 'dist/limpet.js'), 'plugin', 'test', ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const leftNothing = () =>
    eventually(
      'nothing to be left',
      () => {
        const left = straysOf(folder, procProcesses()).map(({ command }) => command);
        const files = readdirSync(folder);
        if (left.length + files.length === 0) return true;
        throw new Error([...left, ...files].join(', '));
      },
      BOUND_MS,
    );
  return { folder, child, ended, said: () => text, leftNothing };
}

function childOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  const first = Number(children[0]);
  if (!(first > 0)) throw new Error(`process ${pid} has no child`);
  return first;
}

await t.test('a rule that is kept: exit code 0, its line, the counts', async (t) => {
  const { ended, said, leftNothing } = test(t, ['--only', 'handshake/health', ...PLUGIN]);
  t.equal(await ended, 0);
  t.match(said(), /^pass {2}handshake\/health /m);
  t.match(said(), /: 1 passed, 0 failed, 0 skipped\n$/);
  await leftNothing();
});

await t.test('a plugin that does not start: exit code 2 with what it said', async (t) => {
  const plugin = ['--', 'sh', '-c', 'echo no thanks >&2; exit 3'];
  const { ended, said, leftNothing } = test(t, plugin);
  t.equal(await ended, 2);
  t.match(said(), 'it ended (code 3); on stderr: no thanks');
  await leftNothing();
});

await t.test(
  'a program that there is not, or that may not be executed: said in plain words',
  async (t) => {
    const none = test(t, ['--', 'no-such-program']);
    t.equal(await none.ended, 2);
    t.match(none.said(), "it cannot be started: there is no program 'no-such-program'");
    const folder = test(t, ['--', '/proc']);
    t.equal(await folder.ended, 2);
    t.match(folder.said(), "it cannot be started: '/proc' is no file that may be executed");
  },
);

await t.test('a file of samples with a slip names it and what is expected', async (t) => {
  const file = join(programDir(t), 'test.json');
  writeFileSync(file, '{ "samples": { "shrt": {} } }');
  const { ended, said } = test(t, ['--config', file, ...PLUGIN]);
  t.equal(await ended, 2);
  t.match(said(), 'test.json: samples: unknown: shrt; expected short, fails, ');
});

await t.test('a plugin that floods its stdout instead of a handshake: exit code 2', async (t) => {
  const { ended, said, leftNothing } = test(t, ['--', 'yes']);
  t.equal(await ended, 2);
  t.match(said(), 'a plugin begins its stdout with it');
  await leftNothing();
});

await t.test('a rule that there is not: exit code 2 with those that there are', async (t) => {
  const { ended, said } = test(t, ['--only', 'nonsense', ...PLUGIN]);
  t.equal(await ended, 2);
  t.match(said(), "there is no rule 'nonsense'; expected one of handshake/line, ");
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGKILL', null],
] as const)
  await t.test(`${signal} in the middle of live runs leaves nothing behind`, async (t) => {
    const only = ['--only', 'recovery/one-writer', '--only', 'recovery/renew-held'];
    const { folder, child, ended, leftNothing } = test(t, [...only, ...PLUGIN]);
    const processes = procProcesses();
    const isRunning = () => straysOf(folder, processes).some((one) => /tick/.test(one.command));
    await eventually('live runs', isRunning, BOUND_MS);
    // `limpet` runs the suite as a program of its own.
    process.kill(childOf(child.pid ?? 0), signal);
    t.equal(await ended, code ?? 137);
    await leftNothing();
  });
