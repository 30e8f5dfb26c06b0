/**
 * Whether a container takes signals yet. The kernel drops a signal that pid 1 has no handler for. Until the engine's init
 * stands in the place of the runtime's own, a TERM is lost for good, and a run that would have obeyed would be killed at the
 * end of its grace. An init that has a child has set itself up: it takes over the signals before it forks.
 */
import type { Container, Engine } from './engine.ts';

/** A container that has run for longer takes signals as well as it ever will. */
const STARTING_MS = 10_000;
const RUNTIME_INIT = /(^|\/)runc init$/;

export async function takesSignals(engine: Engine, container: Container): Promise<boolean> {
  const { id, startedAt, hasInit } = container;
  if (startedAt === undefined || Math.abs(Date.now() - startedAt) > STARTING_MS) return true;
  try {
    const commands = await engine.commands(id);
    return !commands.some((c) => RUNTIME_INIT.test(c)) && (!hasInit || commands.length > 1);
  } catch {
    // It has ended, or the engine cannot list processes.
    return true;
  }
}
