/** A requester with one scripted agent, linked: where tests of the requester begin. */
import { eventually } from '../../kit/eventually.ts';
import { startNatsServer } from '../../kit/nats-server.ts';
import type { Teardown } from '../../kit/teardown.ts';
import { RequesterProgram } from './requester-program.ts';
import { ScriptedAgent, type AgentOptions } from './scripted-agent.ts';

export interface OneAgent {
  readonly requester: RequesterProgram;
  /** Node `n-one`. */
  readonly agent: ScriptedAgent;
  readonly natsUrl: string;
}

export async function oneAgent(
  t: Teardown,
  options: Omit<AgentOptions, 'natsUrl' | 'nodeId'>,
): Promise<OneAgent> {
  const nats = await startNatsServer(t);
  const requester = new RequesterProgram(t, nats.url);
  await requester.start();
  const agent = await ScriptedAgent.start(t, { natsUrl: nats.url, nodeId: 'n-one', ...options });
  await eventually('the handshake', () => agent.session);
  return { requester, agent, natsUrl: nats.url };
}
