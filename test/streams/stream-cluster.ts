/** A cluster of real programs whose nodes print lines for ever; each program has a proxy of its own before the broker. */
import { z } from 'zod';
import type { Test } from 'tap';
import { Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import { freePort, startNatsServer } from '../kit/nats-server.ts';
import { programDir } from '../kit/program-dir.ts';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.ts';
import type { TestAgent } from '../kit/test-agent.ts';
import { Follower } from './follower.ts';

const EVERY_S = 0.3;
const TICKER = `i=0; while :; do i=$((i+1)); echo "line $i"; sleep ${EVERY_S}; done`;

const statusSchema = z.looseObject({ Streams: z.number() });
const agentSchema = z.looseObject({ streams: z.number() });

export interface StreamNode {
  readonly agent: TestAgent;
  readonly proxy: TcpProxy;
  readonly id: string;
  /** Of its ticker. */
  readonly execution: string;
  follow(): Follower;
  /** Streams that it serves now. */
  open(): Promise<number>;
}

export interface StreamCluster {
  readonly cluster: Cluster;
  /** Of the requester. */
  readonly proxy: TcpProxy;
  readonly nodes: readonly StreamNode[];
  /** Streams that the requester reads now. */
  open(): Promise<number>;
  /** The requester has given up the streams of this node for its silence. */
  foundSilent(node: StreamNode): boolean;
}

export async function streamCluster(t: Test, names: readonly string[]): Promise<StreamCluster> {
  const broker = await startNatsServer(t);
  const own = await startTcpProxy(t, broker.port);
  const requester = { nats: { servers: [own.url] } };
  const cluster = new Cluster(t, programDir(t), broker, await freePort(), { requester });
  t.teardown(() => cluster.end());
  await cluster.startRequester();
  const agents = await Promise.all(
    names.map(async (name) => {
      const proxy = await startTcpProxy(t, broker.port);
      const executors = {
        docker: { enabled: false },
        wasm: { enabled: false },
        process: { enabled: true },
      };
      const agent = cluster.addAgent({ nats: { servers: [proxy.url] }, executors }, name);
      return { agent, proxy, id: (await agent.start()).nodeId };
    }),
  );
  const job = await cluster.submit(batchJob(processTask(TICKER), { Type: 'daemon' }));
  const nodes = await Promise.all(
    agents.map(async (each) => {
      const execution = await eventually(`a run on ${each.id}`, async () => {
        const { executions } = await each.agent.status();
        return executions.find(({ state }) => state === 'running')?.id;
      });
      return {
        ...{ ...each, execution },
        follow: () => new Follower(cluster, job, execution),
        open: async () => agentSchema.parse(await each.agent.status()).streams,
      };
    }),
  );
  return {
    ...{ cluster, nodes, proxy: own },
    open: async () => (await cluster.api.get('limpet/status', statusSchema)).Streams,
    foundSilent: ({ id }) =>
      cluster.requester.stderr
        .split('\n')
        .some((line) => line.includes('streams.node-silent') && line.includes(id)),
  };
}
