/** An executor plugin whose runs end as they start: what is left to measure is Limpet itself, the SDK's files included. */
import { z } from 'zod';
import {
  serveExecutor,
  type Executor,
  type LogSource,
  type Observation,
  type RunContext,
  type RunKey,
} from '../../plugins/sdk/index.ts';
import { absent, idOf, running } from './run-keys.ts';

class InstantExecutor implements Executor {
  readonly #runs = new Map<string, Observation>();

  async fingerprint() {
    return { health: 'healthy', reason: '' } as const;
  }

  async prepare() {
    return '';
  }

  async start({ spec }: RunContext): Promise<Observation> {
    const live = running(spec);
    const outcome = { by: 'exit', code: 0, reason: 'exit 0' } as const;
    this.#runs.set(idOf(spec.key), { ...live, phase: 'exited', outcome, finishedAt: Date.now() });
    return live;
  }

  async observe({ spec }: RunContext): Promise<Observation> {
    return this.#runs.get(idOf(spec.key)) ?? absent(spec.key);
  }

  async list() {
    return [...this.#runs.values()];
  }

  async supervise() {}

  logs(): LogSource {
    return { read: async function* () {} };
  }

  async stop() {}

  async remove(key: RunKey) {
    this.#runs.delete(idOf(key));
  }
}

await serveExecutor({
  name: 'instant',
  version: '1.0.0',
  config: z.strictObject({}),
  params: z.strictObject({}),
  create: async () => new InstantExecutor(),
});
