/** The real agent and requester, each in a simulated process: started from its disk, and gone at once when its life ends. */
import type { NodeId } from '../../core/ids.ts';
import type { Random } from '../../adapters/clock/port.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { agentConfigSchema } from '../../agent/config.ts';
import { agentFolders } from '../../agent/executions/folders.ts';
import { assembleNode, type AgentNode } from '../../agent/node.ts';
import { parseConfig } from '../../requester/config.ts';
import { startCore, type RequesterCore } from '../../requester/core.ts';
import { takeUp } from '../../requester/state/take-up.ts';
import type { Broker } from './broker.ts';
import type { Crashes } from './crashes.ts';
import type { Disk } from './disk.ts';
import { SimulatedHost, type PluginTable } from './host.ts';
import type { Life } from './life.ts';
import type { Node } from './node.ts';

const DATA_DIR = '/nonexistent/limpet-simulation';
const FOLDERS = agentFolders(DATA_DIR);
export const REQUESTER_CONFIG = parseConfig({}, 'the simulation');

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

/** What one node has for itself. */
export interface OwnParts {
  readonly nodeId: NodeId;
  readonly cpu: string;
  readonly disk: Disk;
  readonly plugins: PluginTable;
  readonly node: Node;
  readonly dies: (awayMs: number) => void;
}

export async function runAgent(
  around: Surroundings,
  life: Life,
  own: OwnParts,
): Promise<RunningAgent> {
  const { world, broker, crashes, mint } = around;
  const { nodeId, disk, plugins, node } = own;
  const store = await disk.open(life);
  const faults = crashes.of(life, own.dies);
  const host = new SimulatedHost({ store, life, world, faults, plugins, node, mint });
  const core = await assembleNode({
    config: agentConfigSchema.parse({
      dataDir: DATA_DIR,
      capacity: { CPU: own.cpu, Memory: '8Gi' },
    }),
    name: 'simulated',
    identity: {
      nodeId,
      instanceId: nodeId,
      machineId: nodeId,
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
  { disk, dies }: Pick<OwnParts, 'disk' | 'dies'>,
): Promise<RequesterCore> {
  const store = await disk.open(life);
  const { beside } = await takeUp(store, { clock: life, random, beside: disk.beside, damage: [] });
  disk.beside = beside;
  return startCore({
    config: REQUESTER_CONFIG,
    store,
    transport: broker.connect(life),
    clock: life,
    random,
    faults: crashes.of(life, dies),
    log: silentLog,
  });
}
