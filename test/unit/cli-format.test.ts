import { PassThrough } from 'node:stream';
import t from 'tap';
import { parseExact, stringifyExact } from '../../cli/api/exact-json.ts';
import { readEvents } from '../../cli/api/server-sent-events.ts';
import { note, print } from '../../cli/context.ts';
import { overlay } from '../../cli/dev/configs.ts';
import { exitCodeOf, isOver, whyNot } from '../../cli/jobs/exit-code.ts';
import { pickOne } from '../../cli/jobs/find-job.ts';
import { seconds } from '../../cli/options.ts';
import { age, bytes, duration } from '../../cli/output/format.ts';
import { preparingText, Progress, progressText } from '../../cli/output/progress.ts';
import { formatTable, oneLine } from '../../cli/output/table.ts';
import type { ExecutionSummary, WatchEvent } from '../../wire/http.ts';

t.test('ages, durations and sizes', async (t) => {
  const ages = [0, 119_999, 120_000, 7_199_999, 7_200_000, 172_800_000].map((ms) => age(1, ms + 1));
  t.same(ages, ['0s', '119s', '2m', '119m', '2h', '2d']);
  t.equal(age(undefined, 5), '');
  t.equal(age(10, 5), '0s', 'a clock behind the requester shows no negative age');
  t.same([0, 9_949, 12_300, 65_000, 3_780_000].map(duration), [
    '0.0s',
    '9.9s',
    '12s',
    '1m05s',
    '1h03m',
  ]);
  t.same([0, 999, 1500, 512_000_000, 2e15].map(bytes), [
    '0 B',
    '999 B',
    '1.5 kB',
    '512 MB',
    '2000 TB',
  ]);
  t.same(['90', '90s', '10m', '2h', '1d'].map(seconds), [90, 90, 600, 7200, 86_400]);
  for (const bad of ['', 's', '1w', '-1', '1.5m']) t.throws(() => seconds(bad), bad);
});

t.test('what others wrote cannot move the cursor or break a row', async (t) => {
  t.equal(oneLine('a\r\n b\u001b[2Jc\td'), 'a b·[2Jc·d');
  t.equal(formatTable(['id', 'text'], [['x', 'one\ntwo']]), 'ID  TEXT\nx   one two');
});

t.test('nanoseconds stay exact from answer to output', async (t) => {
  const text =
    '{"CreateTime":1776500000000000001,"Small":12,"Text":"1776500000000000001 \\"9999999999999999999"}';
  const value = parseExact(text);
  t.same(value, {
    CreateTime: 1776500000000000001n,
    Small: 12,
    Text: '1776500000000000001 "9999999999999999999',
  });
  t.equal(stringifyExact(value).replaceAll(/\n\s*/g, '').replaceAll('": ', '":'), text);
});

async function events(...chunks: string[]) {
  async function* source() {
    for (const chunk of chunks) yield new TextEncoder().encode(chunk);
  }
  const seen = [];
  for await (const event of readEvents(source())) seen.push(event);
  return seen;
}

t.test('server-sent events', async (t) => {
  t.same(await events('data: a\n\n', ': comment\nevent: end\ndata:{"x":1}\n\n'), [
    { event: 'message', data: 'a' },
    { event: 'end', data: '{"x":1}' },
  ]);
  t.same(await events('da', 'ta: a\r', '\ndata: b\r\n\r', '\n'), [
    { event: 'message', data: 'a\nb' },
  ]);
  t.same(await events('data: half'), [], 'what is not finished never happened');
  t.same(await events('\n\nevent: x\n\ndata: ä\n\n'), [{ event: 'message', data: 'ä' }]);
});

t.test('an id is found by a unique beginning or end, else the candidates are named', async (t) => {
  const ids = ['j-aaaa1111', 'j-aaaa2222', 'j-bbbb1111'];
  const find = (text: string) =>
    pickOne(ids, (id) => id, { what: 'job', text, list: 'limpet job list' });
  t.equal(find('j-b'), 'j-bbbb1111');
  t.equal(find('bb'), 'j-bbbb1111');
  t.equal(find('2222'), 'j-aaaa2222');
  t.throws(() => find('1111'), {
    code: 'ambiguous-id',
    message: "'1111' matches 2 jobs: j-aaaa1111, j-bbbb1111; type more of the id",
  });
  t.throws(() => find('c'), {
    code: 'not-found',
    message: "no job matches 'c'; see `limpet job list`",
  });
  t.throws(() => find(''), { code: 'not-found' });
});

function watched(state: string, executions: readonly Partial<ExecutionSummary>[] = []): WatchEvent {
  const base = {
    id: 'e-1',
    nodeId: 'n-1',
    partition: 0,
    attempt: 0,
    state: 'failed',
    run: 0,
    reason: '',
  } as const;
  return {
    job: { id: 'j-1', state, message: 'said the job' },
    executions: executions.map((execution) => ({ ...base, ...execution })),
  };
}

t.test('the exit code of a job', async (t) => {
  const exit7 = { outcome: { by: 'exit', code: 7, reason: '' } } as const;
  t.equal(exitCodeOf(watched('Completed', [exit7])), 0, 'a retry that went well is what counts');
  t.equal(exitCodeOf(watched('Failed', [exit7])), 7);
  const again = { attempt: 1, outcome: { by: 'oom', code: 137, reason: '' } } as const;
  t.equal(exitCodeOf(watched('Failed', [exit7, again])), 137, 'the last attempt decides');
  t.equal(exitCodeOf(watched('Failed', [{ outcome: { by: 'refused', reason: 'no image' } }])), 1);
  t.equal(exitCodeOf(watched('Failed')), 1);
  t.equal(exitCodeOf(watched('Stopped')), 1);
  t.equal(whyNot(watched('Failed', [exit7])), 'exit 7');
  t.equal(whyNot(watched('Stopped')), 'said the job');
  t.same(
    ['Running', 'Queued', 'Odd', 'Failed', 'Stopped', 'Completed'].map((s) => isOver(watched(s))),
    [false, false, false, true, true, true],
  );
});

t.test('the progress line', async (t) => {
  t.equal(progressText(watched('Queued')), 'queued: said the job');
  t.equal(
    progressText(watched('Running', [{ state: 'preparing', reason: 'pulling' }])),
    'running (preparing): pulling',
  );
  t.equal(
    progressText(
      watched('Running', [{ state: 'running' }, { state: 'completed' }, { state: 'running' }]),
    ),
    'running (2 running, 1 completed)',
  );
});

t.test('the progress line of what is prepared', async (t) => {
  const one = { kind: 'image', item: 'a:1', doneBytes: 12e6, totalBytes: 40e6 } as const;
  const preparing = { state: 'preparing', progress: one } as const;
  t.equal(preparingText(watched('Pending', [preparing])), 'image a:1 12 of 40 MB (30 %)');
  const sent = { ...preparing, reason: 'sent to the node' };
  t.equal(progressText(watched('Pending', [sent])), 'pending (preparing)', 'why is no matter then');
  const [running, more] = [{ state: 'running' } as const, { ...preparing, partition: 2 }];
  t.equal(
    preparingText(watched('Running', [running, preparing, more])),
    'image a:1 12 of 40 MB (30 %), and 1 more',
  );
  t.equal(preparingText(watched('Running', [running])), '');
});

/** A stderr that keeps what is written, and a time that is set. */
function screen(isTTY: boolean, columns = 80) {
  const stderr = Object.assign(new PassThrough(), { isTTY, columns });
  const time = { now: 1_000 };
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr };
  const context = { env: {}, ...streams, now: () => time.now };
  const written = (): string => String((stderr.read() as Buffer | null) ?? '');
  return {
    progress: new Progress(context, 'j-0193d5a0-1111-7000-8000-0000aabbccdd'),
    time,
    written,
  };
}

t.test('without a terminal progress is a line as it begins, then one each 10 s', async (t) => {
  const { progress, time, written } = screen(false);
  progress.show('pending (preparing)');
  progress.show('pending (preparing)', 'image a:1 1 of 9 MB');
  t.equal(
    written(),
    'job aabbccdd  0.0s  pending (preparing)\njob aabbccdd  0.0s  pending (preparing): image a:1 1 of 9 MB\n',
  );
  for (const mb of [2, 3, 4]) {
    time.now += 3_333;
    progress.show('pending (preparing)', `image a:1 ${mb} of 9 MB`);
  }
  t.equal(written(), '', 'ten seconds are not over');
  time.now += 1;
  progress.show('pending (preparing)', 'image a:1 5 of 9 MB');
  t.equal(written(), 'job aabbccdd  10s  pending (preparing): image a:1 5 of 9 MB\n');
  progress.show('running (running)');
  t.equal(written(), 'job aabbccdd  10s  running (running)\n');
  progress.clear();
  t.equal(written(), '');
});

t.test('on a terminal it is one line, drawn anew, that never hides the numbers', async (t) => {
  const { progress, written } = screen(true, 80);
  const rest = '/x'.repeat(40);
  progress.show('pending (preparing)', `download http://h${rest} 1 of 9 MB (11 %)`);
  const [line = ''] = written().split('\n');
  t.equal(line.length, '\r\u001b[2K'.length + 79);
  t.match(line, /^\r\u001b\[2Kjob aabbccdd {2}0\.0s {2}pending \(preparing\): dow/);
  t.ok(line.endsWith(' 1 of 9 MB (11 %)'), line);
  progress.show('pending (preparing)', `download http://h${rest} 1 of 9 MB (11 %)`);
  t.equal(written(), '', 'nothing has changed');
  progress.clear();
  t.equal(written(), '\r\u001b[2K');
  progress.clear();
  t.equal(written(), '', 'a line of somebody else is not taken away');
});

t.test('whoever follows the output sees what is prepared until that begins', async (t) => {
  for (const isTTY of [true, false]) {
    const { progress, written } = screen(isTTY);
    progress.showBeforeOutput('pending (accepted)', '');
    t.equal(written(), '', 'nothing is prepared');
    progress.showBeforeOutput('pending (preparing)', 'image a:1 1 of 9 MB');
    const line = 'job aabbccdd  0.0s  pending (preparing): image a:1 1 of 9 MB';
    t.equal(written(), isTTY ? `\r\u001b[2K${line}` : `${line}\n`);
    progress.outputBegins();
    t.equal(written(), isTTY ? '\r\u001b[2K' : '');
    progress.showBeforeOutput('running (preparing)', 'image a:1 2 of 9 MB');
    t.equal(written(), '', 'the output has the terminal now');
  }
});

t.test('a config laid over another', async (t) => {
  const base = { nats: { servers: ['a'], user: 'u' }, executors: { process: { enabled: true } } };
  t.same(overlay(base, { nats: { servers: ['b'] }, labels: { x: 'y' } }), {
    nats: { servers: ['b'], user: 'u' },
    executors: { process: { enabled: true } },
    labels: { x: 'y' },
  });
});

t.test('what others wrote is text on a terminal, and bytes elsewhere', (t) => {
  const written = (isTTY: boolean): string => {
    const out = Object.assign(new PassThrough(), { isTTY });
    const context = { env: {}, stdin: new PassThrough(), stdout: out, stderr: out, now: () => 0 };
    print(context, 'a\u001b]0;x\u0007');
    note(context, 'b\u001b[2J');
    return String(out.read());
  };
  t.equal(written(true), 'a\\x1b]0;x\\x07\nb\\x1b[2J\n');
  t.equal(written(false), 'a\u001b]0;x\u0007\nb\u001b[2J\n');
  t.end();
});
