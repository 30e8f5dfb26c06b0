/** Sizes, counts and time */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { processPlugin } from '../integration/executor-process/plugin.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, dockerTask, inline, processTask, wasmTask } from '../kit/job-specs.ts';
import { startSandbox } from './sandbox.ts';

t.setTimeout(240_000);

const { cluster, agent, engine, outputOf, endOf } = await startSandbox(t, {
  config: { pidsLimit: 40, inlineArchive: { maxBytes: 1e7, maxFiles: 100 } },
});

t.test(
  'a job, a variable or an argument that is too long is refused in one line, and the node goes on',
  async (t) => {
    const long = (bytes: number): string => 'x'.repeat(bytes);
    const submit = (Env: Record<string, string>) =>
      cluster.submit(batchJob(processTask('true', { Env })));
    await t.rejects(submit({ A: long(200_000) }), /a value of 128000 bytes at most/);
    const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`A${i}`, long(100_000)]));
    await t.rejects(submit(many), { code: 'too-large' });
    await t.rejects(submit({ A: long(11 * 1024 ** 2) }), { code: 'too-large' });
    await t.rejects(
      cluster.submit(batchJob(processTask(long(200_000)))),
      /Engine\.Params\.Command/,
    );
    if (engine.skip === false) {
      const { state } = await endOf(dockerTask(`: ${long(200_000)}`));
      t.equal(state, 'Failed');
    }
    t.equal(await outputOf(processTask('echo on')), 'on\n');
  },
);

t.test('one line of 10 MiB comes out whole', async (t) => {
  const script = 'head -c 10485760 /dev/zero | tr "\\0" x';
  const job = await cluster.submit(batchJob(processTask(script)));
  await cluster.ended(job);
  const log = await cluster.log(job);
  t.equal(log.length, 10 * 1024 ** 2);
  const whole = createHash('sha256')
    .update('x'.repeat(10 * 1024 ** 2))
    .digest('hex');
  t.equal(createHash('sha256').update(log).digest('hex'), whole);
});

const FORKS = 'i=0; while [ $i -lt 200 ]; do sleep 3 & i=$((i+1)); done; wait';

t.test(
  'a fork bomb in a container ends at its bound, and the node goes on',
  { skip: engine.skip },
  async (t) => {
    const bomb = await cluster.submit(batchJob(dockerTask(`(${FORKS}) 2>&1; echo over`)));
    t.equal(await outputOf(processTask('echo on')), 'on\n');
    await cluster.ended(bomb, 60_000);
    t.match(await cluster.log(bomb), /can't fork/);
  },
);

const asRoot = process.getuid?.() === 0 ? false : 'needs root to run commands as another user';
t.test(
  'a fork bomb of the process executor ends at the bound of its user, which it cannot leave',
  { skip: asRoot },
  async (t) => {
    const plugin = await processPlugin(t, { user: 'nobody', maxProcesses: 40 });
    chmodSync(plugin.folder, 0o755);
    const run = { executionId: 'e-forks' };
    const Command = ['sh', '-c', `grep NoNewPrivs /proc/self/status; ${FORKS}`];
    await plugin.start({ ...run, params: { Command } });
    await plugin.wait(run);
    const { stdout, stderr } = await plugin.logs(run);
    t.match(stdout, /NoNewPrivs:\s+1/);
    t.match(stderr, /[Ff]ork/);
  },
);

t.test(
  'a module that writes more than its disk limit gets an error, and the disk keeps its room',
  async (t) => {
    const asks = {
      Publisher: { Type: 'local' },
      ResultPaths: [{ Name: 'out', Path: '/output' }],
      Resources: { Disk: '1Ki' },
    };
    const { state, job } = await endOf(wasmTask('write-output', ['/output', '2000'], asks));
    const { outcome } = await cluster.execution(job);
    t.equal(state, 'Failed', JSON.stringify(outcome));
  },
);

t.test(
  'a module that takes more memory than its limit, or never ends, is stopped, and the node goes on',
  async (t) => {
    const [hog, spin] = await Promise.all([
      endOf(wasmTask('grow-hog', [], { Resources: { Memory: '16Mi' } })),
      endOf(wasmTask('spin', [], { Timeouts: { ExecutionTimeout: 2 } })),
    ]);
    t.equal(hog.state, 'Failed');
    t.match(hog.message, /limit|memory|trap/);
    t.match(spin.message, /limit \(deadline\)/);
  },
);

t.test('a compressed bomb in a job file is refused before it fills the disk', async (t) => {
  const { gzipSync } = await import('node:zlib');
  const zeros = gzipSync(Buffer.alloc(100 * 1024 ** 2));
  const InputSources = [inline(zeros, '/in', 'application/gzip')];
  const { job, state, message } = await endOf(wasmTask('hello', [], { InputSources }));
  t.equal(state, 'Failed');
  t.match(message, /the archive unpacks to more than 10000000 bytes/);
  const folder = join(agent.folder, 'inputs', (await cluster.execution(job)).id);
  await eventually('its folder to be removed', () => !existsSync(folder));
});
