/** Waiting until the programs of `limpet dev` do their work, not merely run. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { agentStatusSchema } from '../../wire/agent-status.ts';
import { askAgent, readAgentFile } from '../agent-socket.ts';
import { ApiClient } from '../api/client.ts';
import { readEndpointFile, readToken } from '../api/endpoint.ts';
import type { Child } from './child.ts';

const POLL_MS = 50;
const START_MS = 20_000;
const RECOVERY_MS = 10_000;

/** Its URL, once it answers. Rejects with `unavailable` when it ends before, `timeout` after 20 s. */
export async function requesterReady(child: Child, folder: string): Promise<string> {
  return poll('the requester', child, async () => {
    const file = readEndpointFile(folder);
    if (file === undefined || file.pid !== child.pid) return undefined;
    const token = readToken(folder);
    const api = new ApiClient(token === undefined ? file : { url: file.url, token });
    const { Status } = await api.get('agent/alive', z.object({ Status: z.string() }));
    return Status === 'OK' ? file.url : undefined;
  });
}

export interface AgentReady {
  readonly node: string;
  readonly healthy: string[];
  /** `docker: no engine at ...` */
  readonly unhealthy: string[];
}

const statusSchema = agentStatusSchema.pick({ nodeId: true, link: true, executors: true });

/** Once it answers on its socket; it gets 10 s more to meet the requester and its executors, and is taken as it is then. */
export async function agentReady(child: Child, folder: string): Promise<AgentReady> {
  const startedAt = performance.now();
  return poll('the agent', child, async () => {
    if (readAgentFile(folder)?.pid !== child.pid) return undefined;
    const status = statusSchema.parse(await askAgent(folder, 'GET', '/status'));
    const settled =
      status.link.state === 'linked' &&
      status.executors.every(({ recovery, restarts }) => recovery === 'complete' || restarts > 0);
    if (!settled && performance.now() - startedAt < RECOVERY_MS) return undefined;
    const { executors } = status;
    const bad = executors.filter(({ health }) => health !== 'healthy');
    return {
      node: status.nodeId,
      healthy: executors.filter((executor) => !bad.includes(executor)).map(({ name }) => name),
      unhealthy: bad.map(
        ({ name, health, reason }) => `${name}: ${reason === '' ? health : reason}`,
      ),
    };
  });
}

async function poll<T>(what: string, child: Child, look: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + START_MS;
  let last = 'it gave no sign';
  while (performance.now() < end) {
    if (!child.running) throw new LimpetError('unavailable', `${what} ended before it was ready`);
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      last = LimpetError.from(error).message;
    }
    await delay(POLL_MS);
  }
  throw new LimpetError('timeout', `${what} was not ready within ${START_MS / 1000} s: ${last}`);
}
