/** A cluster of one node with every executor, and the three ways in which an attempt ends. */
import type { Test } from 'tap';
import { startCluster, type Cluster, type JobNow } from '../kit/cluster.ts';
import { testEngine, type TestEngine } from '../kit/engine.ts';
import { batchJob } from '../kit/job-specs.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';
import { cleanEngineAtEnd } from '../e2e/containers.ts';

export interface Sandbox {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
  readonly engine: TestEngine;
  /** stdout of a job that completes. */
  outputOf(task: JsonObject): Promise<string>;
  /** The reason of a job that fails before it runs. */
  refusalOf(task: JsonObject): Promise<string>;
  /** Any end. */
  endOf(task: JsonObject): Promise<JobNow & { readonly job: string; readonly stdout: string }>;
}

export interface SandboxOptions {
  readonly config?: JsonObject;
  readonly docker?: JsonObject;
  readonly env?: Readonly<Record<string, string>>;
}

export async function startSandbox(t: Test, options: SandboxOptions = {}): Promise<Sandbox> {
  const engine = await testEngine(t);
  const cluster = await startCluster(t);
  const docker = { host: engine.host, pullPolicy: 'never', ...options.docker };
  const agent = cluster.addAgent({
    executors: {
      wasm: { config: { warm: 1, idleMs: 5_000 } },
      process: { enabled: true },
      docker: { enabled: engine.skip === false, config: docker },
    },
    ...options.config,
  });
  await agent.start(options.env);
  if (engine.skip === false) cleanEngineAtEnd(t, engine.host, agent.folder);
  return { cluster, agent, engine, ...endsOf(cluster) };
}

function endsOf(cluster: Cluster): Pick<Sandbox, 'outputOf' | 'refusalOf' | 'endOf'> {
  const endOf: Sandbox['endOf'] = async (task) => {
    const job = await cluster.submit(batchJob(task));
    const now = await cluster.ended(job, 60_000);
    const began = (await cluster.execution(job)).startedAt !== undefined;
    return { ...now, job, stdout: began ? await cluster.log(job) : '' };
  };
  return {
    endOf,
    outputOf: async (task) => {
      const { state, message, stdout } = await endOf(task);
      if (state !== 'Completed') throw new Error(`${state}: ${message}\n${stdout}`);
      return stdout;
    },
    refusalOf: async (task) => {
      const { job, state } = await endOf(task);
      const { outcome, startedAt } = await cluster.execution(job);
      if (state !== 'Failed' || startedAt !== undefined || outcome?.by !== 'refused')
        throw new Error(JSON.stringify({ state, startedAt, outcome }));
      return outcome.reason;
    },
  };
}
