/** How far a download is, as people see it while their job is prepared; the server sends when the test says so. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { watchEventSchema } from '../../cli/api/events.ts';
import { executionPage } from '../../cli/api/models.ts';
import { isTerminalJobState, type JobState } from '../../core/job.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { fileServer } from '../kit/file-server.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import { distPath } from '../kit/program.ts';

t.setTimeout(240_000);

const MB = 1_000_000;
const SEEN_MS = 60_000;

const open = new Map<string, ServerResponse>();
const server = await fileServer(t, { '/waited': begin('waited'), '/followed': begin('followed') });
const cluster = await startCluster(t);
/** Where a plugin is told to stand still. */
const quiet = join(cluster.folder, 'quiet');
mkdirSync(quiet);
const agent = cluster.addAgent({
  plugins: [
    { name: 'quiet', command: [process.execPath, distPath('fixtures/halting-plugin.js'), quiet] },
  ],
  executors: { docker: { enabled: false }, wasm: { enabled: false }, process: { enabled: true } },
  urlDownload: { allow: ['127.0.0.1'], idleMs: 120_000 },
});
await agent.start();

/** A file of 4 MB, of which nothing comes by itself. */
function begin(name: string): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(200, { 'content-length': 4 * MB }).flushHeaders();
    open.set(name, response);
  };
}

function send(name: string): void {
  open.get(name)?.write(Buffer.alloc(MB));
}

/** Starts `job run` with these options on a job that needs the file; answers when the server was asked for it. */
async function run(name: string, ...options: readonly string[]) {
  const InputSources = [
    { Source: { Type: 'urlDownload', Params: { URL: `${server.url}/${name}` } }, Target: '/in' },
  ];
  const task = processTask(`wc -c < in/${name}`, { InputSources });
  const file = join(cluster.folder, `${name}.json`);
  writeFileSync(file, JSON.stringify(batchJob(task, { Name: name })));
  const program = await cluster.limpet('job', 'run', file, ...options);
  await eventually(`${name} to be asked for`, () => open.has(name), SEEN_MS);
  return { program, id: (await cluster.execution(name)).id };
}

const detail = z.looseObject({
  state: z.string(),
  progress: z.looseObject({ doneBytes: z.number() }).optional(),
});

/** Waits until the requester knows that so many MB of it are there. */
async function shown(name: string, id: string, mb: number): Promise<unknown> {
  return eventually(
    `${mb} MB of ${name} to be told`,
    async () => {
      const now = await cluster.api.get(`limpet/executions/${id}`, detail);
      if (now.progress?.doneBytes !== mb * MB) throw new Error(JSON.stringify(now));
      return now.progress;
    },
    SEEN_MS,
  );
}

function line(name: string, mb: number): string {
  return `download ${server.url}/${name} ${mb} of 4 MB (${25 * mb} %)`;
}

/** Those that a watcher of the job has seen, until its end. */
async function watched(name: string): Promise<LiveProgress[]> {
  const seen: LiveProgress[] = [];
  for await (const { event, data } of cluster.api.events(`limpet/jobs/${name}/watch`)) {
    if (event !== 'message') continue;
    const { job, executions } = watchEventSchema.parse(JSON.parse(data));
    seen.push(...executions.flatMap(({ progress }) => progress ?? []));
    if (isTerminalJobState(job.state as JobState)) break;
  }
  return seen;
}

t.test('whoever waits for a job or asks about it sees how far its download is', async (t) => {
  const name = 'waited';
  const began = performance.now();
  const { program, id } = await run(name, '--wait');
  for (const mb of [1, 2]) {
    send(name);
    t.strictSame(await shown(name, id, mb), {
      ...{ kind: 'download', item: `${server.url}/${name}` },
      ...{ doneBytes: mb * MB, totalBytes: 4 * MB },
    });
    await eventually(
      'its state to be told',
      async () => (await cluster.execution(name)).state === 'preparing',
    );
    const described = await cluster.ran('job', 'describe', name);
    t.ok(described.stdout.includes(`preparing: ${line(name, mb)}\n`), described.stdout);
    const page = await cluster.api.get(`orchestrator/jobs/${name}/executions`, executionPage);
    t.equal(page.Items[0]?.Limpet?.Progress?.doneBytes, mb * MB);
    const execution = await cluster.ran('execution', 'describe', id);
    t.match(execution.stdout, new RegExp(`Preparing +download .* ${mb} of 4 MB`));
    const [status] = (await agent.status()).executions;
    t.equal(status?.['progress'], line(name, mb), 'the node says the same');
  }
  await t.test('a line comes as it begins, and more of them later', async (t) => {
    send(name);
    const lines = await eventually(
      'the line of later',
      () => {
        const told = program.stderr.split('\n').filter((one) => one.includes('download '));
        if (told.length > 1 && told.at(-1)?.endsWith(line(name, 3)) === true) return told;
        throw new Error(program.stderr);
      },
      SEEN_MS,
    );
    t.match(
      lines[0],
      /^job \w{8} {2}\S+ {2}\w+ \(\w+\): download \S+( [0-2](\.\d)? of 4 MB \(\d+ %\))?$/,
    );
    const seconds = (performance.now() - began) / 1_000;
    t.ok(lines.length <= 2 + seconds / 10, lines.join('\n'));
  });
  await t.test('a requester that was killed hears of it again', async () => {
    await cluster.requester.kill();
    await cluster.startRequester();
    await shown(name, id, 3);
  });
  send(name);
  await program.waitForExit(SEEN_MS);
  t.equal(program.exit?.code, 0, program.stderr);
  t.equal(await cluster.log(name), `${4 * MB}\n`);
  const after = await cluster.api.get(`limpet/executions/${id}`, detail);
  t.equal(after.progress, undefined, 'nothing of it is left');
});

t.test('what its plugin tells nothing of is shown as prepared all the same', async () => {
  const name = 'quiet';
  const file = join(cluster.folder, `${name}.json`);
  const task = { Engine: { Type: name, Params: { Command: ['true'] } } };
  writeFileSync(file, JSON.stringify(batchJob(task, { Name: name })));
  writeFileSync(join(quiet, 'armed'), 'prepare before');
  const program = await cluster.limpet('job', 'run', file, '--wait');
  const line = `executor ${name} prepares it`;
  await eventually('a word', () => program.stderr.includes(line), SEEN_MS);
  process.kill(Number(readFileSync(join(quiet, 'halted'), 'utf8')), 'SIGKILL');
  await program.waitForExit(SEEN_MS);
  t.equal(program.exit?.code, 0, program.stderr);
});

t.test('so does whoever follows its output, until that begins', async (t) => {
  const name = 'followed';
  const { program, id } = await run(name, '--follow');
  const watching = watched(name);
  for (const mb of [1, 2, 3]) {
    send(name);
    await shown(name, id, mb);
  }
  send(name);
  await program.waitForExit(SEEN_MS);
  t.equal(program.exit?.code, 0, program.stderr);
  t.equal(program.stdout, `${4 * MB}\n`, 'the output is nothing but the output');
  t.match(program.stderr, /\(\w+\): download .* of 4 MB \(\d+ %\)\n/);
  const bytes = (await watching).map(({ doneBytes }) => doneBytes);
  t.strictSame(
    bytes,
    [...bytes].sort((a, b) => a - b),
    'numbers rise',
  );
  t.ok(new Set(bytes).size >= 3, bytes.join());
});
