/** An answer of the agent's socket in the form that this version knows. */
import type { z } from 'zod';
import { LimpetError } from '../core/errors.ts';
import { askAgent } from './agent-socket.ts';

/** Throws as `askAgent`, and `version-mismatch`. */
export async function askAgentFor<T>(
  schema: z.ZodType<T>,
  folder: string,
  [method, path]: readonly ['GET' | 'POST', string],
): Promise<T> {
  const parsed = schema.safeParse(await askAgent(folder, method, path));
  if (parsed.success) return parsed.data;
  throw new LimpetError('version-mismatch', 'the agent answers in another version of this program');
}
