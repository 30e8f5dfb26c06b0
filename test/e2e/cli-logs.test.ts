/** `limpet job logs` as people run it: waiting, leaving, pipes, wrong words. */
import { join } from 'node:path';
import t from 'tap';
import { distPath, startDist, startProgram, type Program } from '../kit/program.ts';
import type { Teardown } from '../kit/teardown.ts';
import { tempDir } from '../kit/temp-dir.ts';
import {
  fakeRequester,
  FINISHED,
  frame,
  source,
  type Answer,
  type FakeRequester,
} from './cli-fake-requester.ts';
import { EXECUTION, JOB, limpet } from './cli-run.ts';

t.setTimeout(240_000);

const AT = Date.parse('2026-04-18T10:31:00.250Z');
const out = (text: string, more = {}) => frame('stdout', text, { timeMs: AT, ...more });

function requesterWith(
  t: Teardown,
  log: Answer | readonly Answer[],
  job: object = {},
): Promise<FakeRequester> {
  const State = { StateType: 'Running', Message: '' };
  const reply = { Job: { ID: JOB, Name: 'hello', Type: 'batch', Count: 1, State, ...job } };
  return fakeRequester(t, {
    [`GET /orchestrator/jobs/${JOB}`]: { json: reply },
    [`GET /orchestrator/jobs/${JOB}/executions`]: {
      json: {
        Items: [{ ID: EXECUTION, DesiredState: { StateType: 1 }, ComputeState: { StateType: 6 } }],
      },
    },
    [`GET /limpet/jobs/${JOB}/logs`]: log,
  });
}

function env(t: Teardown, requester: FakeRequester): Record<string, string> {
  return { LIMPET_DATA: join(tempDir(t), 'none'), LIMPET_API: requester.url, LIMPET_TOKEN: 'x' };
}

t.test('what is asked for is what the requester is asked for', async (t) => {
  const requester = await requesterWith(t, { frames: [source(), out('late\n'), FINISHED] });
  const args = ['--tail', '3', '--since', '2026-04-18T12:30:00+02:00', '--stream', 'stdout'];
  const { code, stdout, stderr } = await limpet(t, requester, [
    ...['job', 'logs', JOB, '-f', '--timestamps', '--execution', '0000000a', ...args],
  ]);
  t.equal(stderr, '');
  t.equal(code, 0);
  t.equal(stdout, '2026-04-18T10:31:00.250Z late\n');
  const url = new URL(requester.seen.at(-1)?.url ?? '', requester.url);
  t.strictSame(Object.fromEntries(url.searchParams), {
    follow: 'true',
    execution: EXECUTION,
    stream: 'stdout',
    tail: '3',
    since: String(Date.parse('2026-04-18T10:30:00Z')),
  });
});

t.test('several partitions come with names, as text or as JSON', async (t) => {
  const frames = [source(0), source(1), out('a\n'), out('b\n', { source: 2 }), FINISHED];
  const requester = await requesterWith(t, { frames }, { Count: 2 });
  const text = await limpet(t, requester, ['job', 'logs', JOB]);
  t.equal(text.stdout, 'hello/0 | a\nhello/1 | b\n');
  const json = await limpet(t, requester, ['job', 'logs', JOB, '--output', 'json']);
  t.strictSame(
    json.stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line)),
    [
      {
        time: '2026-04-18T10:31:00.250Z',
        execution: EXECUTION,
        node: 'n-1',
        stream: 'stdout',
        offset: 0,
        text: 'a\n',
      },
      {
        ...{ time: '2026-04-18T10:31:00.250Z', execution: EXECUTION.replace(/a$/, 'b') },
        ...{ node: 'n-1', stream: 'stdout', offset: 0, text: 'b\n' },
      },
    ],
  );
});

t.test('a job that has not begun is told of, where nobody waits for it', async (t) => {
  const nothing = frame('end', { code: 'finished', message: 'no execution has a log' });
  const State = { StateType: 'Queued', Message: 'no node has room' };
  const requester = await requesterWith(t, { frames: [nothing] }, { State });
  const { code, stdout, stderr } = await limpet(t, requester, ['job', 'logs', JOB]);
  t.equal(stdout, '');
  t.equal(stderr, 'no output: hello is queued: no node has room; -f waits for it to start\n');
  t.equal(code, 0);
});

t.test('wrong words are answered with the right ones, and nothing is asked', async (t) => {
  const requester = await requesterWith(t, { frames: [FINISHED] });
  const { code, stderr } = await limpet(t, requester, ['job', 'logs', JOB, '--since', 'noon']);
  t.equal(code, 2);
  t.match(
    stderr,
    /^error: option '--since <time>' argument 'noon' is invalid\. Expected how long ago, such as 10m, 2h or 1d, or a time such as 2026-04-18T10:31:00Z\.\n$/,
  );
  t.equal(requester.seen.length, 0);
});

t.test('a log that ends early is an error; what came is shown', async (t) => {
  const gone = frame('end', { code: 'agent-gone', message: 'node n-1 is away' });
  const requester = await requesterWith(t, { frames: [source(), out('head\n'), gone] });
  const { code, stdout, stderr } = await limpet(t, requester, ['job', 'logs', JOB]);
  t.equal(stdout, 'head\n');
  t.equal(
    stderr,
    'error: the log is not whole: a node is away; read it again when `limpet node list` shows it\n',
  );
  t.equal(code, 1);
});

t.test('Ctrl-C leaves at once, with 130 and without a word', async (t) => {
  const requester = await requesterWith(t, { frames: [source(), out('half')], stayOpen: true });
  const program = await startDist(t, 'limpet', {
    args: ['job', 'logs', '-f', JOB],
    env: env(t, requester),
  });
  await program.waitFor(/^half$/);
  program.signal('SIGINT');
  t.strictSame(await program.waitForExit(), { code: 130, signal: null });
  t.equal(program.stderr, '');
});

t.test('a pipe whose reader leaves ends it without a word', async (t) => {
  const line = `${'x'.repeat(63)}\n`;
  const frames = [source(), ...Array.from({ length: 64 }, () => out(line.repeat(1024)))];
  const requester = await requesterWith(t, { frames, stayOpen: true });
  const program = await shell(t, requester, `"$0" "$1" job logs -f ${JOB} | head -1`);
  t.strictSame(await program.waitForExit(20_000), { code: 0, signal: null });
  t.equal(program.stdout, line);
  t.equal(program.stderr, '');
});

/** `$0 $1` is limpet. */
function shell(t: Teardown, requester: FakeRequester, script: string): Promise<Program> {
  const args = ['-o', 'pipefail', '-c', script, process.execPath, distPath('limpet.js')];
  return startProgram(t, 'bash', { args, env: env(t, requester) });
}
