/**
 * Runs a synchronous piece of work that somebody else has a say in (a regular expression of a plugin, the code that its
 * schema becomes) and stops it after a time, in the middle of whatever it does.
 */
import { createContext, Script, type Context } from 'node:vm';
import { z } from 'zod';

const stopped = z.object({ code: z.literal('ERR_SCRIPT_EXECUTION_TIMEOUT') });

export class TimeLimit {
  readonly #script = new Script('work()');
  readonly #context: Context = createContext({});

  /** undefined: it was stopped. What it throws comes through. */
  run<T>(limitMs: number, work: () => T): { readonly value: T } | undefined {
    let result: { readonly value: T } | undefined;
    this.#context['work'] = () => {
      result = { value: work() };
    };
    try {
      this.#script.runInContext(this.#context, { timeout: limitMs });
    } catch (thrown) {
      if (stopped.safeParse(thrown).success) return undefined;
      throw thrown;
    } finally {
      this.#context['work'] = undefined;
    }
    return result;
  }
}
