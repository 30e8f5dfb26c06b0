/** One node on which one run ticks: where tests begin that break something next. */
import type { Test } from 'tap';
import { startCluster, type Cluster } from './cluster.ts';
import { tickerJob } from './job-specs.ts';
import type { TestAgent } from './test-agent.ts';

export interface OneNode {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
}

export interface TickingRun {
  readonly job: string;
  /** The execution. */
  readonly id: string;
  /** Its claim: the same text later is the same run. */
  readonly holder: string;
}

export async function oneNode(t: Test): Promise<OneNode> {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  await agent.start();
  return { cluster, agent };
}

/** Runs when this resolves; writes a line each 100 ms. */
export async function ticking({ cluster, agent }: OneNode, ticks: number): Promise<TickingRun> {
  const job = await cluster.submit(tickerJob(ticks));
  const id = await cluster.running(job);
  return { job, id, holder: await agent.claim('wasm', id) };
}
