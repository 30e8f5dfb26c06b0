/** `/opt/limpet/install.json`: what installations on this host have made and chosen, for upgrades and for the removal. */
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Host } from './host.ts';
import { LAYOUT } from './layout.ts';
import type { FileStep } from './steps.ts';

const recordSchema = z.object({
  v: z.literal(1),
  /** Absolute; of the units and of the code cache. */
  node: z.string(),
  docker: z.boolean(),
  process: z.boolean(),
  services: z.array(z.enum(['agent', 'requester', 'nats'])),
  /** Made by us; others that were there before stay. */
  users: z.array(z.string()),
  groups: z.array(z.string()),
});
export type InstallRecord = z.infer<typeof recordSchema>;

/** Undefined when nothing is installed. Errors: `store-corrupt`. */
export function readRecord(host: Host): InstallRecord | undefined {
  const text = host.read(LAYOUT.record);
  if (text === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new LimpetError(
      'store-corrupt',
      `${host.at(LAYOUT.record)} is not understood: ${messageOf(thrown).replaceAll(/\s+/g, ' ')}; remove it and install again`,
      { cause: thrown },
    );
  }
}

export function recordFile(record: InstallRecord): FileStep {
  const content = `${JSON.stringify(record, undefined, 2)}\n`;
  const access = { mode: 0o644, owner: 'root', group: 'root' } as const;
  return { kind: 'file', path: LAYOUT.record, content, ...access };
}
