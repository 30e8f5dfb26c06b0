/**
 * identity.json stands beside the store, never in it: losing the store keeps the instance. `generation` is written here
 * and into the store at each start; unequal is a rollback.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readIfThere } from '../durable/if-there.ts';
import { writeDurably } from '../durable/write-durably.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { parseNodeId, type NodeId } from '../../core/ids.ts';

const IDENTITY_VERSION = 1;
/** What stands there when no machine id is known. */
const UNKNOWN = 'unknown';

const IdentityFile = z.object({
  v: z.number().int(),
  nodeId: z.string().transform((text) => parseNodeId(text)),
  instanceId: z.string().min(1),
  machineId: z.string().min(1).optional(),
  generation: z.number().int().nonnegative(),
  createdAt: z.number().int(),
  takenOver: z.literal(true).optional(),
});

export interface Identity {
  readonly nodeId: NodeId;
  /** Of this data folder; minted once. */
  readonly instanceId: string;
  /** Of the machine that it is on, see machine-id.ts; undefined when none was known yet. */
  readonly machineId: string | undefined;
  readonly generation: number;
  readonly createdAt: number;
  /** From another machine, and not started on this one since. */
  readonly takenOver?: true;
}

export function identityFile(folder: string): string {
  return join(folder, 'identity.json');
}

/** undefined when there is none. Errors: `store-corrupt` (unreadable), `version-mismatch` (newer). */
export async function loadIdentity(folder: string): Promise<Identity | undefined> {
  const file = identityFile(folder);
  let text: string | undefined;
  try {
    text = readIfThere(file);
  } catch (error) {
    throw damaged(file, error);
  }
  return text === undefined ? undefined : parseIdentity(file, text);
}

/** Errors: `already-exists`. */
export async function createIdentity(folder: string, identity: Identity): Promise<void> {
  if ((await loadIdentity(folder)) !== undefined)
    throw new LimpetError('already-exists', `${identityFile(folder)} exists; it is never replaced`);
  await saveIdentity(folder, identity);
}

export async function saveIdentity(folder: string, identity: Identity): Promise<void> {
  const text = JSON.stringify(
    { v: IDENTITY_VERSION, ...identity, machineId: identity.machineId ?? UNKNOWN },
    null,
    2,
  );
  await writeDurably(identityFile(folder), `${text}\n`);
}

function parseIdentity(file: string, text: string): Identity {
  try {
    const { v, machineId, takenOver, ...identity } = IdentityFile.parse(JSON.parse(text));
    if (v <= IDENTITY_VERSION)
      return {
        ...identity,
        machineId: machineId === UNKNOWN ? undefined : machineId,
        ...(takenOver === undefined ? {} : { takenOver }),
      };
    throw new LimpetError(
      'version-mismatch',
      `${file} has version ${v}, this program knows ${IDENTITY_VERSION}; use the newer program`,
    );
  } catch (error) {
    if (error instanceof LimpetError && error.code === 'version-mismatch') throw error;
    throw damaged(file, error);
  }
}

function damaged(file: string, error: unknown): LimpetError {
  const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
  return new LimpetError('store-corrupt', `cannot read ${file}: ${why}; put back a copy of it`, {
    cause: error,
  });
}
