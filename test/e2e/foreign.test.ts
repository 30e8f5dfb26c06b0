/** A run without a record is kept, given back to the owner that knows it, and ended only on proof or by an operator. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, local, processTask, wasmTask } from '../kit/job-specs.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';
import { replaceRequester } from './foreign-word.ts';
import { loseRecords } from './lost-records.ts';

t.setTimeout(240_000);

const PROCESS_TOO = {
  executors: {
    docker: { enabled: false },
    wasm: { config: { warm: 1, idleMs: 5_000 } },
    process: { enabled: true },
  },
};

t.test(
  'records lost, requester there: its owner claims what runs and what has ended',
  async (t) => {
    const { cluster, agent, words } = await oneNode(t);
    const running = await cluster.submit(words.awaits('running'));
    const script = `echo line 1; while [ ! -e ${words.file('shell')} ]; do sleep 0.1; done`;
    const shell = await cluster.submit(batchJob(processTask(`${script}; echo line 2; exit 7`)));
    const ids = [await cluster.running(running), await cluster.running(shell)];
    const holder = await agent.claim('wasm', ids[0] ?? '');
    await agent.kill();
    words.say('shell');
    await eventually(
      'the shell to end by itself',
      () => existsSync(exitOf(agent, 'process', ids[1])),
      30_000,
    );
    await loseRecords(agent.folder);

    const { allocated } = await agent.start();
    t.ok(allocated.cpuMillis > 0, 'what runs is counted in what is in use');
    t.match(await cluster.ended(shell), { state: 'Failed' });
    t.match(await cluster.endedExecution(shell), { outcome: { by: 'exit', code: 7 }, run: 0 });
    t.equal(await cluster.log(shell), lines(2), 'its log is whole');
    t.equal(await agent.claim('wasm', ids[0] ?? ''), holder, 'one copy only');
    words.say('running');
    t.match(await cluster.ended(running), { state: 'Completed' });
    t.equal(await cluster.log(running), lines(2));
    t.match(await cluster.execution(running), { run: 0, outcome: { by: 'exit', code: 0 } });
    await agent.hasNo('foreign', 'executions');
    const causes = (await agent.history(ids[0] ?? '')).map(({ cause }) => cause);
    t.match(causes[0], /no record: kept as foreign/);
    t.ok(causes.includes('its owner knows it: no longer foreign'), causes.join('\n'));
  },
);

t.test('records lost, owner away: kept through restarts, told hours later', async (t) => {
  const { cluster, agent, words } = await oneNode(t);
  const long = await cluster.submit(words.awaits('never'));
  const short = await cluster.submit(words.awaits('short'));
  const lasting = await cluster.running(long);
  const ending = await cluster.running(short);
  const holder = await agent.claim('wasm', lasting);
  await cluster.requester.kill();
  await agent.kill();
  await loseRecords(agent.folder);
  for (const _life of [1, 2]) {
    await agent.launch();
    const status = await recovered(agent);
    t.match(status.foreign.sort(), [/wasm: e-/, /wasm: e-/]);
    t.same(status.executions, [], "foreign work is not listed as the node's own");
    await agent.kill();
  }
  await agent.launch();
  await recovered(agent);
  words.say('short');
  await eventually(
    'the short one to end',
    async () => (await agent.status()).foreign.some((line) => line.includes('ended: exit 0')),
    30_000,
  );
  t.ok(existsSync(exitOf(agent, 'wasm', ending)), 'nothing of it is removed');
  await cluster.startRequester();
  t.match(await cluster.ended(short), { state: 'Completed' });
  t.equal(await cluster.log(short), lines(2));
  t.equal(await agent.claim('wasm', lasting), holder);
  await eventually(
    "the long one to be its owner's again",
    async () => (await agent.status()).executions.some(({ id }) => id === lasting),
    30_000,
  );
  await cluster.stop(long);
  t.match(await cluster.endedExecution(long), { state: 'cancelled', run: 0 });
});

t.test('another requester: unknown work stays; an operator stops or adopts it', async (t) => {
  const { cluster, agent, words } = await oneNode(t);
  const stopped = await cluster.submit(words.awaits('never'));
  const adopted = await cluster.submit(words.awaits('adopted'));
  const [one, two] = [await cluster.running(stopped), await cluster.running(adopted)];
  await agent.kill();
  await loseRecords(agent.folder);
  await replaceRequester(cluster);
  await agent.start();
  const seen = await eventually(
    'the requester to show them',
    async () => {
      const { Limpet } = await node(cluster);
      return Limpet.Foreign.length === 2 ? Limpet.Foreign : false;
    },
    30_000,
  );
  t.match(
    seen.map(({ answer }) => answer),
    ['unknown', 'unknown'],
  );
  t.match((await agent.status()).foreign, [/running/, /running/], 'and both run on');

  const described = await cluster.ran('node', 'describe', 'n-');
  t.match(described.stdout, new RegExp(`Foreign.*${one.slice(-8)}`, 's'));
  const listed = await cluster.ran('agent', 'foreign', '--data', agent.folder);
  t.match(listed.stdout, new RegExp(one.slice(-8)));
  t.equal((await cluster.ran('job', 'stop', one, '--foreign')).exit?.code, 0);
  const adopt = ['agent', 'foreign', 'adopt', two, '--data', agent.folder];
  t.equal((await cluster.ran(...adopt)).exit?.code, 0);
  words.say('adopted');
  await eventually(
    'both to be over',
    async () => (await agent.status()).foreign.length === 0,
    60_000,
  );
  t.equal(await endOf(agent, one), 'cancelled');
  t.equal(await endOf(agent, two), 'completed');
  const again = await cluster.ran('agent', 'foreign', 'stop', one, '--data', agent.folder);
  t.equal(again.exit?.code, 1);
  t.match(again.stderr, /nothing foreign/);
});

t.test('its owner had ordered a stop meanwhile: it is claimed, then stopped', async (t) => {
  const { cluster, agent, words } = await oneNode(t);
  for (const known of [true, false]) {
    const job = await cluster.submit(words.awaits('never'));
    const id = await cluster.running(job);
    await agent.kill();
    await cluster.stop(job);
    await loseRecords(agent.folder, id);
    if (!known) rmSync(join(agent.folder, 'epochs.json'));
    await agent.start();
    t.match(await cluster.endedExecution(job), { state: 'cancelled' }, `known ${known}`);
  }
});

async function oneNode(t: Test) {
  const cluster = await startCluster(t);
  const words = new Words(join(cluster.folder, 'words'));
  const agent = cluster.addAgent({ ...PROCESS_TOO, allowLocal: [{ path: words.folder }] });
  await agent.start();
  return { cluster, agent, words };
}

/** What the test says to runs that wait for it: a file for each word. */
class Words {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder);
  }

  file(word: string): string {
    return join(this.folder, word);
  }

  say(word: string): void {
    writeFileSync(this.file(word), '');
  }

  /** A job of one run that writes a line and, when the word is said, another one. */
  awaits(word: string): JsonObject {
    const InputSources = [local(this.folder, '/words')];
    return batchJob(wasmTask('wait-for', [`words/${word}`], { InputSources }));
  }
}

function exitOf(agent: TestAgent, executor: string, execution = ''): string {
  return join(agent.folder, 'runs', executor, execution, '0', 'exit');
}

/** Its executors have recovered; the requester may be away. */
function recovered(agent: TestAgent) {
  return eventually(
    'the agent to have recovered',
    async () => {
      const status = await agent.status();
      if (status.executors.every(({ recovery }) => recovery === 'complete')) return status;
      throw new Error(JSON.stringify(status.executors));
    },
    30_000,
  );
}

const nodes = z.looseObject({
  Nodes: z.array(
    z.looseObject({
      Limpet: z.looseObject({
        Foreign: z.array(z.looseObject({ executionId: z.string(), answer: z.string() })),
      }),
    }),
  ),
});

/** The state that its last change led to; its removal, which may have followed, changes none. */
async function endOf(agent: TestAgent, execution: string): Promise<string | undefined> {
  return (await agent.history(execution)).findLast(({ from, to }) => from !== to)?.to;
}

async function node(cluster: Cluster) {
  const [first] = (await cluster.api.get('orchestrator/nodes', nodes)).Nodes;
  if (first === undefined) throw new Error('no node');
  return first;
}
