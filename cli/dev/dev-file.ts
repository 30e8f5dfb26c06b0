/** `dev.json` in the data folder: who runs `limpet dev` there, what it started, and that nobody else does. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { tildePath } from '../options.ts';
import { identify, identitySchema, isAlive } from './process-identity.ts';
import type { Identity } from './process-identity.ts';

const devFileSchema = z.object({
  dev: identitySchema,
  ready: z.boolean(),
  broker: z.object({ kind: z.string(), url: z.string() }).optional(),
  requester: z.object({ url: z.string() }).optional(),
  /** Missing without an agent. */
  agent: z
    .object({ node: z.string(), healthy: z.array(z.string()), unhealthy: z.array(z.string()) })
    .optional(),
  children: z.record(z.string(), identitySchema),
});
export type DevFile = z.infer<typeof devFileSchema>;

/** Undefined when there is none, or it is not readable. */
export function readDevFile(data: string): DevFile | undefined {
  try {
    return devFileSchema.parse(JSON.parse(readFileSync(join(data, 'dev.json'), 'utf8')));
  } catch {
    return undefined;
  }
}

/**
 * Takes the folder for this process. Answers the file of a dev that died without cleaning up, whose children may still
 * be there. Throws `conflict` when another dev runs on it.
 */
export function takeFolder(data: string): {
  readonly own: DevFile;
  readonly left: DevFile | undefined;
} {
  const dev = identify(process.pid);
  if (dev === undefined)
    throw new LimpetError('internal', '/proc cannot be read; limpet needs Linux');
  const own: DevFile = { dev, ready: false, children: {} };
  const left = readDevFile(data);
  if (left !== undefined && isAlive(left.dev)) throw alreadyRunning(data, left.dev);
  rmSync(join(data, 'dev.json'), { force: true });
  try {
    writeFileSync(join(data, 'dev.json'), JSON.stringify(own), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const other = readDevFile(data);
    if (other !== undefined) throw alreadyRunning(data, other.dev);
    throw error;
  }
  return { own, left };
}

export function writeDevFile(data: string, file: DevFile): void {
  const path = join(data, 'dev.json');
  writeFileSync(`${path}.tmp`, `${JSON.stringify(file, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

export function leaveFolder(data: string): void {
  rmSync(join(data, 'dev.json'), { force: true });
}

function alreadyRunning(data: string, dev: Identity): LimpetError {
  return new LimpetError(
    'conflict',
    `limpet dev runs already on ${tildePath(data)} (pid ${dev.pid}); stop it with \`limpet dev --stop\`, ` +
      'or give this one another folder with --data',
  );
}
