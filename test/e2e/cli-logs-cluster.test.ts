/** `limpet job logs` on a cluster: partitions together, and a requester that dies under its reader. */
import t from 'tap';
import { z } from 'zod';
import { SYSTEM_CLOCK } from '../../cli/logs/clock.ts';
import { readFrames } from '../../cli/logs/frame-stream.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask, tickScript } from '../kit/job-specs.ts';

t.setTimeout(240_000);

const TICKS = 80;
const COUNT = 3;
const AWAY = /^-- requester away \(the connection broke\); going on when it is back --$/gm;
/** Who a line is from: as text, as JSON. */
const PART = /^ticks\/\d|"execution":"[^"]+"/gm;
const PROCESS = {
  executors: {
    docker: { enabled: false },
    wasm: { enabled: false },
    process: { enabled: true },
  },
};

const pieceSchema = z.object({ execution: z.string(), text: z.string() });

t.test('a log is followed over the death of the requester, each line once', async (t) => {
  const cluster = await startCluster(t);
  await cluster.addAgent(PROCESS).start();
  const job = await cluster.submit(
    batchJob(processTask(tickScript(TICKS, 50)), { Name: 'ticks', Count: COUNT }),
  );
  const all = await cluster.limpet('job', 'logs', '--follow', job);
  const tail = await cluster.limpet('job', 'logs', '-f', job, '--tail', '1', '-o', 'json');
  for (const reader of [all, tail])
    await eventually(
      'all partitions',
      () => new Set(reader.stdout.match(PART)).size === COUNT,
      30_000,
    );
  await cluster.requester.kill();
  await all.waitFor(AWAY);
  await cluster.startRequester();
  t.equal((await cluster.ended(job)).state, 'Completed');
  t.strictSame(await all.waitForExit(30_000), { code: 0, signal: null });
  t.strictSame(await tail.waitForExit(30_000), { code: 0, signal: null });

  t.equal(all.stderr.match(AWAY)?.length, 1, all.stderr);
  const lines = all.stdout.split('\n').slice(0, -1);
  for (let partition = 0; partition < COUNT; partition++)
    t.strictSame(
      lines.filter((line) => line.startsWith(`ticks/${partition} | `)),
      ticks(1).map((line) => `ticks/${partition} | ${line}`),
    );
  t.equal(lines.length, COUNT * TICKS, 'and nothing else');

  const pieces = tail.stdout
    .trim()
    .split('\n')
    .map((line) => pieceSchema.parse(JSON.parse(line)));
  for (const id of new Set(pieces.map(({ execution }) => execution))) {
    const text = pieces.filter(({ execution }) => execution === id).map((piece) => piece.text);
    const shown = text.join('').trim().split('\n');
    t.strictSame(shown, ticks(TICKS - shown.length + 1), 'from its tail to its end');
  }
});

t.test('a node', async (t) => {
  const cluster = await startCluster(t);
  await cluster.addAgent(PROCESS).start();

  t.test('what was written since, of one execution, with its times', async (t) => {
    const job = await cluster.submit(
      batchJob(processTask('echo early; sleep 1.5; printf late; printf oh >&2')),
    );
    t.equal((await cluster.ended(job)).state, 'Completed');
    const timed = await cluster.ran('job', 'logs', job, '--timestamps');
    const [, early] = /^(\S+Z) early\n/.exec(timed.stdout) ?? [];
    const since = new Date(Date.parse(early ?? '') + 500).toISOString();
    const late = await cluster.ran('job', 'logs', job, '--since', since);
    t.equal(late.stdout, 'late');
    t.equal(late.stderr, 'oh');
    const own = (await cluster.execution(job)).id.slice(-8);
    const stderr = await cluster.ran('job', 'logs', job, '--execution', own, '--stream', 'stderr');
    t.equal(stderr.stdout, '');
    t.equal(stderr.stderr, 'oh');
  });

  t.test('an execution is told of before it writes, so that no tail of it is cut', async (t) => {
    const job = await cluster.submit(batchJob(processTask('sleep 300')));
    const id = await cluster.running(job);
    const frames = readFrames(cluster.api, {
      ...{ path: `limpet/jobs/${job}/logs`, query: { follow: true, tail: 1 }, clock: SYSTEM_CLOCK },
      signal: AbortSignal.timeout(30_000),
    });
    for await (const some of frames) {
      const source = some.find(({ kind }) => kind === 'source');
      if (source === undefined) continue;
      t.match(JSON.parse(Buffer.from(source.data).toString()), { executionId: id, partition: 0 });
      break;
    }
  });
});

function ticks(first: number): readonly string[] {
  return Array.from({ length: TICKS - first + 1 }, (_, at) => `line ${at + first}`);
}
