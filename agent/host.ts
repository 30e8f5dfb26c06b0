/**
 * Whether the data folder belongs to this machine. A copy of it on a second machine would be a second agent with the same
 * identity, so the agent starts on another machine only after `limpet agent adopt-host`. A machine whose id nobody knows is
 * compared with nothing, and so is a folder that no machine's id was ever written to: it gets the first that is known.
 */
import { LimpetError } from '../core/errors.ts';
import { loadIdentity, saveIdentity, type Identity } from '../adapters/identity/identity-file.ts';
import { readMachineId } from '../adapters/identity/machine-id.ts';
import { hasRecords } from '../adapters/store/inspect.ts';
import { checkUnlocked } from '../adapters/store/repair.ts';
import type { AgentConfig } from './config.ts';
import { agentFolders } from './executions/folders.ts';

export const TAKEN_OVER =
  'the data folder was taken over from another machine, which may have gone on with it';

export interface AdoptHostReport {
  readonly dryRun: boolean;
  readonly nodeId: string;
  readonly dataDir: string;
  /** Of the machine that the folder belongs to, and of this one; none is known where it is missing. */
  readonly before?: string;
  readonly machineId?: string;
}

/** The identity with the machine that it is on now. Errors: `conflict`, when it belongs to another one. */
export function onThisMachine(
  identity: Identity,
  machineId: string | undefined,
  dataDir: string,
): Identity {
  if (!isAnother(identity, machineId))
    return { ...identity, machineId: machineId ?? identity.machineId };
  throw new LimpetError(
    'conflict',
    `${dataDir} belongs to the agent of another machine (machine id ${brief(identity.machineId)}, here ${brief(machineId)}); ` +
      `if that one is never to run with it again, \`limpet agent adopt-host --data ${dataDir}\` makes it this machine's; ` +
      `to be a node of its own, \`limpet agent reset --identity --data ${dataDir}\``,
  );
}

/** Errors: `not-found`, `store-locked` (an agent runs on it). */
export async function adoptHost(config: AgentConfig, dryRun: boolean): Promise<AdoptHostReport> {
  const { dataDir, machineIdFile } = config;
  const identity = await loadIdentity(dataDir);
  if (identity === undefined)
    throw new LimpetError(
      'not-found',
      `no agent has run in ${dataDir}; name its folder with --data`,
    );
  const machineId = await readMachineId(machineIdFile);
  if (!dryRun && isAnother(identity, machineId)) {
    const { store } = agentFolders(dataDir);
    if (hasRecords(store)) await checkUnlocked(store);
    await saveIdentity(dataDir, { ...identity, machineId, takenOver: true });
  }
  return {
    ...{ dryRun, nodeId: identity.nodeId, dataDir },
    ...(identity.machineId === undefined ? {} : { before: identity.machineId }),
    ...(machineId === undefined ? {} : { machineId }),
  };
}

function isAnother(identity: Identity, machineId: string | undefined): boolean {
  return (
    machineId !== undefined && identity.machineId !== undefined && machineId !== identity.machineId
  );
}

/** machine-id(5) asks not to spread it. */
function brief(machineId: string | undefined): string {
  return `${(machineId ?? '').slice(0, 8)}...`;
}
