/** A log that is longer than what is kept: whoever asks for all of it is told where it begins. */
import t from 'tap';
import { logEventSchema } from '../../cli/api/events.ts';
import { startCluster } from '../kit/cluster.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';

t.setTimeout(240_000);

const LINE_BYTES = 64;
/** 101.3 MiB; 100 are kept, in segments of 10. */
const LINES = 1_660_000;
const WRITE = `awk 'BEGIN { for (i = 1; i <= ${LINES}; i++) printf "%063d\\n", i }'`;

t.test('output that is no longer kept is told of, and what is kept is whole', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent({
    executors: {
      docker: { enabled: false },
      wasm: { enabled: false },
      process: { enabled: true },
    },
  });
  await agent.start();
  const job = await cluster.submit(batchJob(processTask(WRITE)));
  t.match(await cluster.ended(job, 120_000), { state: 'Completed' });

  const gaps = [];
  let first: string | undefined;
  let last = '';
  let bytes = 0;
  for await (const { event, data } of cluster.api.events(`limpet/jobs/${job}/logs`)) {
    if (event === 'end') break;
    const log = logEventSchema.parse(JSON.parse(data));
    const text = Buffer.from(log.data, 'base64').toString();
    if (log.stream === 'gap') {
      gaps.push({ text, before: log.truncatedBefore ?? 0 });
      continue;
    }
    first ??= text;
    last = text;
    bytes += text.length;
  }
  const [gap] = gaps;
  t.equal(gaps.length, 1);
  const before = gap?.before ?? 0;
  t.equal(gap?.text, `output before byte ${before} of the log is no longer kept`);
  t.ok(before > 0);
  t.equal(before + bytes, LINES * LINE_BYTES, 'every byte from there on');
  t.equal(Number(first?.slice(0, LINE_BYTES - 1)), before / LINE_BYTES + 1, 'from the next line');
  t.equal(Number(last.slice(-LINE_BYTES)), LINES);

  const shown = await cluster.limpet('job', 'logs', job);
  t.equal((await shown.waitFor(/^\[gap\] (.*)\n/, 30_000))[1], gap?.text, 'the CLI shows it');
  await shown.kill();
  const tail = await cluster.ran('job', 'logs', job, '--tail', '2');
  t.equal(tail.stderr, '');
  t.equal(tail.stdout.length, 2 * LINE_BYTES);
});
