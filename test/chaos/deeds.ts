/** What the seed can do to the world. Each deed waits until what it broke is on its way back; nothing is mended by force. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TestAgent } from '../kit/test-agent.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

export const DEEDS = [
  'agent killed',
  'agent and plugins killed',
  'plugin killed',
  'holder killed',
  'requester killed',
  'broker killed',
  'broker hung',
  'dockerd killed',
] as const;
export type Deed = (typeof DEEDS)[number];

const WEIGHTS: Readonly<Record<Deed, number>> = {
  'agent killed': 5,
  'agent and plugins killed': 2,
  'plugin killed': 5,
  'holder killed': 3,
  'requester killed': 4,
  'broker killed': 3,
  'broker hung': 1,
  'dockerd killed': 2,
};

export interface Planned {
  readonly deed: Deed;
  /** Index of an agent, and of a plugin or holder among those there are. */
  readonly agent: number;
  readonly which: number;
  /** How long it stays away. */
  readonly awayMs: number;
  /** Before the next one. */
  readonly pauseMs: number;
}

/** The same seed plans the same deeds. */
export function nextDeed(random: Random, agents: number, docker: boolean): Planned {
  const possible = DEEDS.filter((deed) => docker || deed !== 'dockerd killed');
  let at = random.next() * possible.reduce((sum, deed) => sum + WEIGHTS[deed], 0);
  const deed = possible.find((one) => (at -= WEIGHTS[one]) < 0) ?? 'agent killed';
  return {
    deed,
    agent: random.within(0, agents - 1),
    which: random.within(0, 1_000),
    awayMs: random.within(0, 1_200),
    pauseMs: random.within(50, 1_000),
  };
}

/** Answers whether there was anything to do it to. */
export async function doDeed(world: World, planned: Planned): Promise<boolean> {
  const agent = world.agents[planned.agent] ?? world.agents[0];
  switch (planned.deed) {
    case 'agent killed':
      await agent.kill();
      await delay(planned.awayMs);
      await agent.launch();
      return true;
    case 'agent and plugins killed': {
      const pids = await pluginPids(agent);
      await agent.kill();
      for (const { pid } of pids) kill(pid);
      if (pids.some(({ name }) => name === 'ledger')) world.struck.add('ledger');
      await delay(planned.awayMs);
      await agent.launch();
      return true;
    }
    case 'plugin killed': {
      const pids = await pluginPids(agent);
      const one = pids[planned.which % Math.max(1, pids.length)];
      if (one === undefined) return false;
      if (one.name === 'ledger') world.struck.add('ledger');
      return kill(one.pid);
    }
    case 'holder killed':
      return killHolder(world, agent, planned.which);
    case 'requester killed':
      await world.cluster.requester.kill();
      await delay(planned.awayMs);
      await world.cluster.startRequester();
      return true;
    case 'broker killed':
      await world.cluster.broker.kill();
      await delay(planned.awayMs);
      await world.cluster.broker.restart();
      return true;
    case 'broker hung':
      return hangBroker(world, planned.awayMs);
    case 'dockerd killed':
      if (world.engine === undefined) return false;
      world.struck.add('docker');
      await world.engine.kill();
      await delay(planned.awayMs);
      await world.engine.start();
      return true;
  }
}

async function pluginPids(agent: TestAgent) {
  const status = await agent.status().catch(() => undefined);
  return (status?.executors ?? []).flatMap(({ name, pid }) =>
    pid === undefined ? [] : [{ name, pid }],
  );
}

function killHolder(world: World, agent: TestAgent, which: number): boolean {
  const held = world.runs(agent, 'wasm').flatMap(({ execution, folder }) => {
    const pid = world.holder(folder);
    return pid === undefined ? [] : [{ execution, pid }];
  });
  const victim = held[which % Math.max(1, held.length)];
  if (victim === undefined || !kill(victim.pid)) return false;
  world.bereft.add(victim.execution);
  return true;
}

async function hangBroker({ cluster: { broker } }: World, ms: number): Promise<boolean> {
  if (!('pid' in broker) || typeof broker.pid !== 'number') return false;
  process.kill(broker.pid, 'SIGSTOP');
  await delay(ms);
  return process.kill(broker.pid, 'SIGCONT');
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
