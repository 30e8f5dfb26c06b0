/** A cluster whose broker is behind a proxy, and questions about what its agent says of the link. */
import type { Test } from 'tap';
import { Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { distPath } from '../kit/program.ts';
import { freePort, startNatsServer, type NatsServer } from '../kit/nats-server.ts';
import { startProxy, type NatsProxy } from '../kit/proxy.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';

export interface LinkWorld {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
  readonly broker: NatsServer;
  readonly proxy: NatsProxy;
}

/** `everybody`: the requester is behind the proxy too, not the agent alone. */
export async function linkWorld(t: Test, everybody: boolean): Promise<LinkWorld> {
  const folder = tempDir(t);
  const broker = await startNatsServer(t);
  const proxy = await startProxy(t, broker.port);
  const seen = everybody ? { ...broker, url: proxy.url } : broker;
  const cluster = new Cluster(t, folder, seen, await freePort(), {});
  t.teardown(() => cluster.end());
  await cluster.startRequester();
  const agent = cluster.addAgent(linkedBy(proxy.url));
  await agent.start();
  return { cluster, agent, broker, proxy };
}

/** Impatient, so that tests need not wait; with an executor whose runs cost nothing. */
export function linkedBy(url: string, more: JsonObject = {}): JsonObject {
  const nats = { servers: [url], pingIntervalMs: 500, requestTimeoutMs: 1_000, ...more };
  const command = [process.execPath, distPath('fixtures/ledger-plugin.js')];
  return { nats, plugins: [{ name: 'ledger', command }] };
}

/** Waits until the agent's own status says so of its link. */
export async function says(agent: TestAgent, pattern: RegExp): Promise<string> {
  return eventually(
    `the agent to say ${pattern.source}`,
    async () => {
      const { degraded } = await agent.status();
      const line = degraded.find((one) => pattern.test(one));
      if (line === undefined) throw new Error(JSON.stringify(degraded));
      return line;
    },
    40_000,
  );
}
