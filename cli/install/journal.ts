/**
 * `/opt/limpet/upgrade.json`: what an upgrade is about to do, on the disk before it is done, so that the next command can
 * carry it to one of its two ends, whatever died on the way.
 *
 *   forward --(ready in time)--> over, done
 *      '-----(not ready)----> back --> over, not done
 *
 * Every act of a phase may be done twice. The file goes when its outcome has been told.
 */
import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { syncFolder, writeFile } from './durable-file.ts';
import type { Host } from './host.ts';
import { LAYOUT } from './layout.ts';

const versionNameSchema = z.string().regex(/^\d+\.\d+\.\d+[0-9A-Za-z.-]*-[0-9a-f]{12}$/);

const journalSchema = z.object({
  v: z.literal(1),
  phase: z.enum(['forward', 'back', 'over']),
  from: versionNameSchema,
  to: versionNameSchema,
  /** What `previous` led to before. */
  previous: versionNameSchema.optional(),
  /** That ran when it began, in the order in which they are started anew. */
  services: z.array(z.enum(['requester', 'agent'])),
  /** Of the agent that ran then. */
  agentPid: z.int().optional(),
  /** For each service to be ready. */
  timeoutMs: z.int().positive(),
  /** Why it goes back. */
  reason: z.string().optional(),
  /** Once it is over: for the operator. */
  told: z.array(z.string()).optional(),
});
export type Journal = z.infer<typeof journalSchema>;

/** Errors: `store-corrupt`. */
export function readJournal(host: Host): Journal | undefined {
  const text = host.read(LAYOUT.journal);
  if (text === undefined) return undefined;
  try {
    return journalSchema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new LimpetError(
      'store-corrupt',
      `${host.at(LAYOUT.journal)} is not understood: ${messageOf(thrown).replaceAll(/\s+/g, ' ')}; see what ${LAYOUT.current} leads to, then remove it`,
      { cause: thrown },
    );
  }
}

/** Errors: `conflict` while an upgrade is not over. */
export function refuseDuringUpgrade(host: Host): void {
  const journal = readJournal(host);
  if (journal === undefined || journal.phase === 'over') return;
  throw new LimpetError(
    'conflict',
    `an upgrade to ${journal.to} is not over: \`limpet agent upgrade --resume\` ends it`,
  );
}

export function writeJournal(host: Host, journal: Journal): void {
  writeFile(host.at(LAYOUT.journal), `${JSON.stringify(journal, undefined, 2)}\n`, { mode: 0o644 });
}

export function removeJournal(host: Host): void {
  const file = host.at(LAYOUT.journal);
  if (!existsSync(file)) return;
  rmSync(file);
  syncFolder(dirname(file));
}
