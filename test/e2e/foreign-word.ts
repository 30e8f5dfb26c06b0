/** Work whose requester has lost all it knew of it, and an operator who has the last word on it. */
import { rmSync } from 'node:fs';
import type { Test } from 'tap';
import type { Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import type { OneNode } from '../kit/one-node.ts';
import type { TestAgent } from '../kit/test-agent.ts';

/** Another requester, of another id and without a memory, takes the place of the one that was there. */
export async function replaceRequester(cluster: Cluster): Promise<void> {
  await cluster.requester.kill();
  rmSync(cluster.requesterFolder, { recursive: true });
  await cluster.startRequester();
}

export async function untilOneIsForeign(agent: TestAgent): Promise<void> {
  await eventually('it to be shown', async () => (await agent.status()).foreign.length === 1);
}

/** `limpet job stop --foreign` on the only foreign run there is; resolves when it is over. */
export async function stoppedByOperator(
  t: Test,
  { cluster, agent }: OneNode,
  id: string,
): Promise<void> {
  const stop = await cluster.ran('job', 'stop', id, '--foreign');
  t.equal(stop.exit?.code, 0, stop.stderr);
  await eventually(
    'it to be over',
    async () => (await agent.status()).foreign.length === 0,
    30_000,
  );
}
