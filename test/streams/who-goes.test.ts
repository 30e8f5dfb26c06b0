/**
 * Whoever of a followed log goes, in whatever way: each half of the stream is freed within its time, others go on, and a
 * reader that is still there reads on where it was. Real programs, and a TCP proxy before each.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SILENCE_MS } from '../../adapters/streams/stream-heartbeat.ts';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import type { Follower } from './follower.ts';
import { streamCluster, type StreamCluster, type StreamNode } from './stream-cluster.ts';

t.setTimeout(300_000);
t.jobs = 8;

/** Less than until the next heartbeat. */
const AT_ONCE_MS = 4_000;
/** For a busy machine. */
const SLACK_MS = 12_000;

const skip = natsServerSkip();
/** tap keeps its own things in it. */
const row = () => ({ buffered: true, skip });

if (skip === false) {
  const names = ['quick', 'killed', 'both', 'to', 'from', 'cut', 'calm'];
  const [many, alone] = await Promise.all([streamCluster(t, names), streamCluster(t, ['host'])]);
  const rows = nodeRows(many);
  // A stream of a node to which nothing happens.
  const calm = nodeOf(many, 6).follow();
  const over = Promise.all([...rows.map(({ name, test }) => t.test(name, row(), test))]);
  t.test('of the requester and the broker', row(), (t) => requesterRows(t, alone));
  t.test('a stream beside them goes on, and at the end none is open', row(), async (t) => {
    await calm.goesOn();
    await over;
    await calm.goesOn();
    t.ok(calm.lines > 10);
    t.notOk(many.foundSilent(nodeOf(many, 6)));
    await calm.leave();
    for (const node of many.nodes) await none(node.id, node.open);
    await none('the requester', many.open);
  });
} else t.test('whoever goes', row(), async () => undefined);

interface Row {
  readonly name: string;
  readonly test: (t: Test) => Promise<void>;
}

function nodeRows(world: StreamCluster): readonly Row[] {
  const holes = [
    { name: 'both ways', node: nodeOf(world, 2), directions: ['to-server', 'to-client'] },
    { name: 'only to the agent', node: nodeOf(world, 3), directions: ['to-client'] },
    { name: 'only from the agent', node: nodeOf(world, 4), directions: ['to-server'] },
  ] as const;
  return [
    { name: 'one node, one after the other', test: (t) => quickRows(t, world, nodeOf(world, 0)) },
    { name: 'agent killed and away', test: (t) => agentAway(t, world, nodeOf(world, 1)) },
    ...holes.map(({ name, node, directions }) => ({
      name: `network of the agent black-holed ${name}`,
      test: async (t: Test) => {
        const reader = node.follow();
        await reader.goesOn();
        node.proxy.swallow(directions);
        await Promise.all([
          none('the agent', node.open, SILENCE_MS + SLACK_MS),
          eventually(
            'the requester to find it silent, or told',
            async () => world.foundSilent(node) || directions.length === 1,
            SILENCE_MS + SLACK_MS,
          ),
        ]);
        node.proxy.heal();
        await reader.goesOn();
        await leaves(t, reader, node);
      },
    })),
    { name: 'network of the agent cut', test: (t) => networkCut(t, world, nodeOf(world, 5)) },
  ];
}

async function quickRows(t: Test, world: StreamCluster, node: StreamNode): Promise<void> {
  await t.test('reader closes its connection', async (t) => {
    const reader = node.follow();
    await reader.goesOn();
    t.equal(await node.open(), 1);
    await counted(t, world, node);
    await leaves(t, reader, node);
  });
  const reader = node.follow();
  await reader.goesOn();
  await t.test('plugin killed', async (t) => {
    const pid = await node.agent.pluginPid('process');
    process.kill(pid, 'SIGKILL');
    await eventually('another plugin', async () => (await node.agent.pluginPid('process')) !== pid);
    t.equal(await node.open(), 1, 'the same stream goes on');
    await reader.goesOn();
  });
  await t.test('agent stopped in order', async (t) => {
    await node.agent.kill('SIGTERM');
    await node.agent.start();
    await reader.goesOn();
    t.equal(await node.open(), 1);
  });
  await t.test('agent killed and back', async (t) => {
    await node.agent.kill();
    await node.agent.start();
    await reader.goesOn();
    t.equal(await node.open(), 1);
  });
  t.notOk(world.foundSilent(node), 'it was never waited for');
  await leaves(t, reader, node);
}

/** Where people look. */
async function counted(t: Test, { cluster }: StreamCluster, node: StreamNode): Promise<void> {
  const data = ['--data', node.agent.folder];
  t.match((await cluster.ran('agent', 'status', ...data)).stdout, /^Streams +1 open$/m);
  t.match((await cluster.ran('agent', 'metrics', ...data)).stdout, /^limpet_streams_open 1$/m);
  const token = readFileSync(join(cluster.requesterFolder, 'token'), 'utf8').trim();
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${cluster.api.url}/api/v1/limpet/metrics`, { headers });
  t.match(await answer.text(), /^limpet_streams_open [1-9]$/m);
}

async function agentAway(t: Test, world: StreamCluster, node: StreamNode): Promise<void> {
  const reader = node.follow();
  await reader.goesOn();
  await node.agent.kill();
  await eventually('it to be found silent', () => world.foundSilent(node), SILENCE_MS + SLACK_MS);
  await node.agent.start();
  await reader.goesOn();
  await leaves(t, reader, node);
}

async function networkCut(t: Test, world: StreamCluster, node: StreamNode): Promise<void> {
  const reader = node.follow();
  await reader.goesOn();
  node.proxy.cut();
  await none('the agent', node.open, AT_ONCE_MS);
  node.proxy.heal();
  await reader.goesOn();
  t.notOk(world.foundSilent(node), 'its first word ends what was before');
  await leaves(t, reader, node);
}

async function requesterRows(t: Test, world: StreamCluster): Promise<void> {
  const { cluster, proxy, open } = world;
  const node = nodeOf(world, 0);
  let reader = node.follow();
  await reader.goesOn();
  await t.test('requester stopped in order', async () => {
    await cluster.requester.kill('SIGTERM');
    await none('the agent', node.open, AT_ONCE_MS);
    await cluster.startRequester();
  });
  reader = node.follow();
  await reader.goesOn();
  await t.test('broker killed', async () => {
    await cluster.broker.kill();
    await Promise.all([
      none('the agent', node.open, AT_ONCE_MS),
      none('the requester', open, AT_ONCE_MS),
    ]);
    await cluster.broker.restart();
    await reader.goesOn();
  });
  await t.test('network of the requester cut', async () => {
    proxy.cut();
    await none('the requester', open, AT_ONCE_MS);
    proxy.heal();
    await reader.goesOn();
    await eventually('the stream of before to be gone', async () => (await node.open()) === 1);
  });
  await t.test('network of the requester black-holed', async () => {
    proxy.swallow();
    await Promise.all([
      none('the agent', node.open, SILENCE_MS + SLACK_MS),
      none('the requester', open, SILENCE_MS + SLACK_MS),
    ]);
    proxy.heal();
    await reader.goesOn();
  });
  await t.test('requester killed', async () => {
    await cluster.requester.kill();
    await none('the agent', node.open, SILENCE_MS + SLACK_MS);
  });
}

/** The reader goes: both halves of its stream are free before the next heartbeat. */
async function leaves(t: Test, reader: Follower, node: StreamNode): Promise<void> {
  const { lines } = reader;
  await reader.leave();
  await none('the agent', node.open, AT_ONCE_MS);
  t.ok(lines > 0, `${lines} lines, each once`);
}

async function none(
  who: string,
  open: () => Promise<number>,
  withinMs = AT_ONCE_MS,
): Promise<void> {
  await eventually(`${who} to have no stream`, async () => (await open()) === 0, withinMs);
}

function nodeOf({ nodes }: StreamCluster, at: number): StreamNode {
  const node = nodes[at];
  if (node === undefined) throw new Error(`there is no node ${at}`);
  return node;
}
