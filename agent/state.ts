/** Opens what the agent keeps: identity, store, folders. One process at a time per data folder. */
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, lstat, mkdir } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { LimpetError, messageOf } from '../core/errors.ts';
import { parseNodeId, uuidV7 } from '../core/ids.ts';
import { STORE_SCHEMAS } from '../wire/version.ts';
import type { Clock } from '../adapters/clock/port.ts';
import { systemRandom } from '../adapters/clock/system-random.ts';
import {
  createIdentity,
  loadIdentity,
  saveIdentity,
  type Identity,
} from '../adapters/identity/identity-file.ts';
import { readMachineId } from '../adapters/identity/machine-id.ts';
import { Outbox } from '../adapters/link/outbox.ts';
import { continuityOps, nextGeneration, whatIsAmiss } from '../adapters/store/continuity.ts';
import { firstUnreadable, openDurable } from '../adapters/store/open-durable.ts';
import { isNoSpace } from '../adapters/store/inspect.ts';
import type { Store } from '../adapters/store/port.ts';
import { damageReports, type DamageReport } from '../adapters/store/set-aside.ts';
import { doubtUnfinished } from './executions/after-loss.ts';
import type { AgentConfig } from './config.ts';
import { agentFolders, type AgentFolders } from './executions/folders.ts';
import { ExecutionRepository } from './executions/repository.ts';
import { onThisMachine, TAKEN_OVER } from './host.ts';
import { reportRow } from './link/report.ts';
import { SettlingStore, type Settling } from './settle-later.ts';

export const SCHEMA_VERSION = STORE_SCHEMAS.agent;
/** A socket path may have 100 bytes; below the run folder up to 40 are used. */
const RUN_DIR_BYTES = 60;

export interface AgentState {
  readonly identity: Identity;
  readonly store: Store;
  readonly folders: AgentFolders;
  readonly runDir: string;
  /** Of every copy of a damaged store that is still there. */
  readonly damage: readonly DamageReport[];
  /** This start found that the store has lost something. */
  readonly amiss: string | undefined;
}

/**
 * Errors: `store-locked` (a second agent), `store-failed`, `version-mismatch`, `permission-denied`; `conflict` when the
 * folder belongs to another machine, unless `anyMachine`; and `store-corrupt` when the identity cannot be read.
 */
export async function openState(
  config: AgentConfig,
  clock: Clock,
  { anyMachine = false } = {},
): Promise<AgentState> {
  const folders = agentFolders(config.dataDir);
  await makeFolders(folders);
  const { takenOver, ...identity } = await ownIdentity(config, clock.now(), anyMachine);
  const { store } = await openDurable(
    {
      folder: folders.store,
      // Generation 0: this identity has never opened a store, so there is none to lose.
      expected: identity.generation > 0,
      schemaVersion: SCHEMA_VERSION,
      readWhenFull: true,
      probe: readUnfinished,
    },
    clock,
  );
  try {
    const damage = await damageReports(folders.store);
    const lost = await whatIsAmiss(store, identity.generation, damage);
    const amiss = lost ?? (takenOver === undefined ? undefined : TAKEN_OVER);
    if (amiss !== undefined) await afterLoss(store);
    const next = { ...identity, generation: await nextGeneration(store, identity.generation) };
    const settled = await settle(store, {
      ops: continuityOps(next.generation, damage),
      after: () => saveIdentity(config.dataDir, next),
    });
    const runDir = await openRunDir(config);
    return { identity: next, store: settled, folders, runDir, damage, amiss };
  } catch (thrown) {
    await store[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** Who the agent of this folder is, or is going to be; needs no lock. Errors: those of `openState` about the folder. */
export async function makeIdentity(config: AgentConfig, clock: Clock): Promise<Identity> {
  await makeFolders(agentFolders(config.dataDir));
  return ownIdentity(config, clock.now(), true);
}

/** Now, or on a full disk as soon as there is room. */
async function settle(store: Store, settling: Settling): Promise<Store> {
  try {
    await store.batch(settling.ops);
    await settling.after();
    return store;
  } catch (thrown) {
    if (!isNoSpace(thrown)) throw thrown;
    return new SettlingStore(store, settling);
  }
}

async function makeFolders(folders: AgentFolders): Promise<void> {
  try {
    for (const folder of Object.values<string>({ ...folders }))
      await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folders.data, constants.W_OK);
  } catch (thrown) {
    throw new LimpetError(
      'permission-denied',
      `cannot write to the data folder ${folders.data}: ${messageOf(thrown)}; make it writable for this user, or name another with --data`,
      { cause: thrown },
    );
  }
}

/** All that a start reads. A damaged record of one execution, or of a plugin, is dealt with by itself. */
async function readUnfinished(store: Store): Promise<string | undefined> {
  await store.scan({ prefix: 'plugin/' });
  const index = await store.scan({ prefix: 'ix/' });
  for (const { key } of [...index.entries, ...index.corrupt])
    await store.scan({ prefix: `ex/${key.split('/')[2] ?? ''}`, limit: 1 });
  return firstUnreadable(store, ['meta/', 'in/', 'out/']);
}

/**
 * The outbox begins anew too: numbers that were given out and lost would be given out again. So does the inbox: rows may be
 * gone that are older than the cursor.
 */
async function afterLoss(store: Store): Promise<void> {
  await doubtUnfinished(store);
  await store.batch([{ type: 'del', key: 'in/meta' }]);
  const repository = new ExecutionRepository(store);
  const outbox = await Outbox.load(store, 'out/', randomUUID);
  await outbox.restart(randomUUID(), () => repository.snapshot(reportRow));
}

async function ownIdentity(
  { dataDir, machineIdFile }: AgentConfig,
  now: number,
  anyMachine: boolean,
): Promise<Identity> {
  const machineId = await readMachineId(machineIdFile);
  const known = await loadIdentity(dataDir);
  if (known !== undefined) return anyMachine ? known : onThisMachine(known, machineId, dataDir);
  const identity: Identity = {
    nodeId: parseNodeId(`n-${uuidV7(now, systemRandom.bytes(10))}`),
    instanceId: randomUUID(),
    machineId,
    generation: 0,
    createdAt: now,
  };
  await createIdentity(dataDir, identity);
  return identity;
}

/** The same folder at every start, so that plugins and runners are found again. */
async function openRunDir(config: AgentConfig): Promise<string> {
  const folder = runDirOf(config);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stat = await lstat(folder);
  if (!stat.isDirectory() || stat.uid !== userInfo().uid)
    throw new LimpetError(
      'forbidden',
      `runDir ${folder} is not a folder of this user; set runDir in the config`,
    );
  await chmod(folder, 0o700);
  await mkdir(join(folder, 's'), { recursive: true, mode: 0o700 });
  return folder;
}

/** Errors: `invalid-config`, when it is too long. */
export function runDirOf(config: Pick<AgentConfig, 'runDir' | 'dataDir'>): string {
  const folder = config.runDir ?? defaultRunDir(config.dataDir);
  if (Buffer.byteLength(folder) <= RUN_DIR_BYTES) return folder;
  throw new LimpetError(
    'invalid-config',
    `runDir ${folder} is longer than ${RUN_DIR_BYTES} bytes; unix sockets below it would not work`,
  );
}

function defaultRunDir(dataDir: string): string {
  const own = join(dataDir, 'run');
  if (Buffer.byteLength(own) <= RUN_DIR_BYTES) return own;
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
  return join(tmpdir(), `limpet-${userInfo().uid}-${name}`);
}
