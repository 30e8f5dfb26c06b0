/** The real agent and requester, each in a simulated process: started from its disk, and gone at once when its life ends. */
import { parseNodeId } from '../../core/ids.ts';
import type { Random } from '../../adapters/clock/port.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { agentConfigSchema } from '../../agent/config.ts';
import { agentFolders } from '../../agent/executions/folders.ts';
import { assembleNode, type AgentNode } from '../../agent/node.ts';
import { parseConfig } from '../../requester/config.ts';
import { startCore, type RequesterCore } from '../../requester/core.ts';
import type { Broker } from './broker.ts';
import type { Crashes } from './crashes.ts';
import type { Disk } from './disk.ts';
import { SimulatedHost, type PluginTable } from './host.ts';
import type { Life } from './life.ts';
import type { Node } from './node.ts';

export const NODE_ID = parseNodeId('n-simulated');

const CONFIG = {
  agent: agentConfigSchema.parse({
    dataDir: '/nonexistent/limpet-simulation',
    capacity: { CPU: '4', Memory: '8Gi' },
  }),
  requester: parseConfig({}, 'the simulation'),
};
const FOLDERS = agentFolders(CONFIG.agent.dataDir);

export interface Surroundings {
  readonly world: Life;
  readonly broker: Broker;
  readonly crashes: Crashes;
  readonly random: Random;
  readonly mint: () => string;
}

export interface RunningAgent {
  readonly core: AgentNode;
  readonly host: SimulatedHost;
}

export async function runAgent(
  around: Surroundings,
  life: Life,
  own: { readonly disk: Disk; readonly plugins: PluginTable; readonly node: Node },
): Promise<RunningAgent> {
  const { world, broker, crashes, mint } = around;
  const { disk, plugins, node } = own;
  const store = await disk.open(life);
  const faults = crashes.of(life);
  const host = new SimulatedHost({ store, life, world, faults, plugins, node, mint });
  const core = await assembleNode({
    config: CONFIG.agent,
    name: 'simulated',
    identity: {
      nodeId: NODE_ID,
      instanceId: 'simulated',
      machineId: 'simulated',
      generation: 1,
      createdAt: 0,
    },
    ...{ store, folders: FOLDERS, host, faults, mint },
    transport: broker.connect(life),
    clock: life,
    log: silentLog,
    bootId: `boot-${node.boot}`,
    startedAt: life.now(),
    environment: {},
  });
  core.link.start();
  core.service.start();
  return { core, host };
}

export async function runRequester(
  { broker, crashes, random }: Surroundings,
  life: Life,
  disk: Disk,
): Promise<RequesterCore> {
  return startCore({
    config: CONFIG.requester,
    store: await disk.open(life),
    transport: broker.connect(life),
    clock: life,
    random,
    faults: crashes.of(life),
    log: silentLog,
  });
}
