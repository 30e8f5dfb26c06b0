/** The cluster that is to be shaken: broker, requester, agents; and what may happen to each of them. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { privateEngine } from '../kit/engine.ts';
import { distPath } from '../kit/program.ts';
import type { Teardown } from '../kit/teardown.ts';
import type { TestAgent } from '../kit/test-agent.ts';
import { dockerConfig } from '../world/docker-world.ts';

export interface Engine {
  kill(): Promise<void>;
  start(): Promise<void>;
}

export class World {
  readonly cluster: Cluster;
  readonly agents: readonly [TestAgent, ...TestAgent[]];
  readonly engine: Engine | undefined;
  /** Where the work keeps its ledgers. */
  readonly ledgers: string;
  /** Executions whose holder was killed: they are lost, and have to be reported so. */
  readonly bereft = new Set<string>();
  /** Kinds whose runs a kill may have taken along, without a name for each: a plugin that holds its runs, an engine. */
  readonly struck = new Set<string>();

  private constructor(
    cluster: Cluster,
    agents: readonly [TestAgent, ...TestAgent[]],
    engine: Engine | undefined,
  ) {
    this.cluster = cluster;
    this.agents = agents;
    this.engine = engine;
    this.ledgers = join(cluster.folder, 'ledgers');
    mkdirSync(this.ledgers);
  }

  static async open(
    t: Teardown,
    { agents: count, docker }: { readonly agents: number; readonly docker: boolean },
  ): Promise<World> {
    const engine = docker ? await privateEngine(t) : undefined;
    const nodes = { heartbeatIntervalMs: 500, unknownAfterMs: 20_000, unhealthyAfterMs: 60_000 };
    const cluster = await startCluster(t, { requester: { nodes } });
    const make = (i: number): TestAgent =>
      cluster.addAgent(agentConfig(cluster, engine?.host), `node-${i}`);
    const rest = Array.from({ length: count - 1 }, (_, i) => make(i + 2));
    const world = new World(cluster, [make(1), ...rest], engine?.daemon);
    await Promise.all(world.agents.map((agent) => agent.start()));
    return world;
  }

  /** The run folders of an agent: `<executor>/<execution>/<run>`. */
  runs(
    agent: TestAgent,
    executor: string,
  ): { readonly execution: string; readonly folder: string }[] {
    const root = join(agent.folder, 'runs', executor);
    if (!existsSync(root)) return [];
    return readdirSync(root).flatMap((execution) =>
      readdirSync(join(root, execution)).map((run) => ({
        execution,
        folder: join(root, execution, run),
      })),
    );
  }

  /** Pid of the process that holds a run now; undefined when the run has ended, or the pid is somebody else's. */
  holder(folder: string): number | undefined {
    try {
      if (existsSync(join(folder, 'exit'))) return undefined;
      const [pid = '', startTime] = readFileSync(join(folder, 'claim'), 'utf8').split(' ');
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[19] === startTime ? Number(pid) : undefined;
    } catch {
      return undefined;
    }
  }
}

function agentConfig(cluster: Cluster, engineHost: string | undefined) {
  return {
    nats: { servers: [cluster.broker.url], requestTimeoutMs: 1_500, pingIntervalMs: 1_000 },
    allowLocal: [{ path: join(cluster.folder, 'ledgers'), writable: true }],
    executors: {
      docker:
        engineHost === undefined
          ? { enabled: false }
          : { enabled: true, config: dockerConfig({ host: engineHost }) },
      wasm: { config: { warm: 1, idleMs: 5_000 } },
      process: { enabled: true },
    },
    plugins: [
      { name: 'ledger', command: [process.execPath, distPath('fixtures/ledger-plugin.js')] },
    ],
  };
}
