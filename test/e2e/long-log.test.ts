/** Long logs: what they take on disk, and that whoever asks for more than is kept is told where it begins. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import { logEventSchema } from '../kit/log-events.ts';

t.setTimeout(240_000);

const LINE_BYTES = 64;
/** 101.3 MiB; 100 are kept, in segments of 10. */
const LINES = 1_660_000;
const MIB = 1024 * 1024;
const PROCESS = {
  executors: {
    docker: { enabled: false },
    wasm: { enabled: false },
    process: { enabled: true },
  },
};

const writeLines = (count: number): string =>
  `awk 'BEGIN { for (i = 1; i <= ${count}; i++) printf "%063d\\n", i }'`;

t.test('output that is no longer kept is told of, and what is kept is whole', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS);
  await agent.start();
  const job = await cluster.submit(batchJob(processTask(writeLines(LINES))));
  t.match(await cluster.ended(job, 120_000), { state: 'Completed' });

  const gaps = [];
  let first: string | undefined;
  let last = '';
  let bytes = 0;
  for await (const { event, data } of cluster.api.events(`limpet/jobs/${job}/logs`)) {
    if (event === 'end') break;
    if (event !== 'message') continue;
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

t.test('what a run has written takes room once: raw output that is logged is freed', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS);
  await agent.start();
  const go = join(cluster.folder, 'go');
  const script = `${writeLines(MIB)}; while [ ! -e ${go} ]; do sleep 0.1; done`;
  const job = await cluster.submit(batchJob(processTask(script)));
  const raw = join(agent.folder, 'runs', 'process', await cluster.running(job), '0', 'stdout');
  await eventually(
    'its raw output to be freed',
    () => {
      const { size, blocks } = statSync(raw);
      if (size === 64 * MIB && blocks * 512 < 8 * MIB) return true;
      throw new Error(`${size} bytes in ${blocks} blocks`);
    },
    60_000,
  );
  const plugin = (await agent.status()).executors.find(({ name }) => name === 'process')?.pid;
  if (plugin === undefined) throw new Error('no plugin');
  await agent.kill();
  process.kill(plugin, 'SIGKILL');
  await agent.start();
  writeFileSync(go, '');
  t.match(await cluster.ended(job, 60_000), { state: 'Completed' });
  const log = await cluster.log(job);
  t.equal(log.length, 64 * MIB);
  t.ok(
    log.match(/.{63}\n/g)?.every((line, i) => Number(line) === i + 1),
    'each line once, in order',
  );
});
