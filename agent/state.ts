/** Opens what the agent keeps: identity, store, folders. One process at a time per data folder. */
import { createHash, randomUUID } from 'node:crypto';
import { chmod, lstat, mkdir, readFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { LimpetError } from '../core/errors.ts';
import { parseNodeId, uuidV7 } from '../core/ids.ts';
import type { Clock } from '../adapters/clock/port.ts';
import { systemRandom } from '../adapters/clock/system-random.ts';
import {
  createIdentity,
  loadIdentity,
  saveIdentity,
  type Identity,
} from '../adapters/identity/identity-file.ts';
import { openStore } from '../adapters/store/level-store.ts';
import type { Store } from '../adapters/store/port.ts';
import type { AgentConfig } from './config.ts';
import { agentFolders, type AgentFolders } from './executions/folders.ts';

export const SCHEMA_VERSION = 1;
/** A socket path may have 100 bytes; below the run folder up to 40 are used. */
const RUN_DIR_BYTES = 60;

export interface AgentState {
  readonly identity: Identity;
  readonly store: Store;
  readonly folders: AgentFolders;
  readonly runDir: string;
}

/** Errors: `store-locked` (a second agent), `store-missing`, `store-corrupt`, `version-mismatch`. */
export async function openState(config: AgentConfig, clock: Clock): Promise<AgentState> {
  const folders = agentFolders(config.dataDir);
  for (const folder of Object.values<string>({ ...folders }))
    await mkdir(folder, { recursive: true, mode: 0o700 });
  const identity = await ensureIdentity(config.dataDir, clock.now());
  const store = await openStore(
    // Generation 0: this identity has never opened a store, so there is none to lose.
    {
      folder: folders.store,
      createIfMissing: identity.generation === 0,
      schemaVersion: SCHEMA_VERSION,
    },
    clock,
  );
  const next = { ...identity, generation: identity.generation + 1 };
  await store.batch([{ type: 'put', key: 'meta/generation', value: next.generation }]);
  await saveIdentity(config.dataDir, next);
  return { identity: next, store, folders, runDir: await openRunDir(config) };
}

async function ensureIdentity(dataDir: string, now: number): Promise<Identity> {
  const known = await loadIdentity(dataDir);
  if (known !== undefined) return known;
  const identity: Identity = {
    nodeId: parseNodeId(`n-${uuidV7(now, systemRandom.bytes(10))}`),
    instanceId: randomUUID(),
    machineId: await machineId(),
    generation: 0,
    createdAt: now,
  };
  await createIdentity(dataDir, identity);
  return identity;
}

async function machineId(): Promise<string> {
  const text = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  return text.trim() === '' ? 'unknown' : text.trim();
}

/** The same folder at every start, so that plugins and runners are found again. */
async function openRunDir(config: AgentConfig): Promise<string> {
  const folder = config.runDir ?? defaultRunDir(config.dataDir);
  if (Buffer.byteLength(folder) > RUN_DIR_BYTES)
    throw new LimpetError(
      'invalid-config',
      `runDir ${folder} is longer than ${RUN_DIR_BYTES} bytes; unix sockets below it would not work`,
    );
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

function defaultRunDir(dataDir: string): string {
  const own = join(dataDir, 'run');
  if (Buffer.byteLength(own) <= RUN_DIR_BYTES) return own;
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
  return join(tmpdir(), `limpet-${userInfo().uid}-${name}`);
}
