/**
 * An executor plugin whose runs cost nothing but what they print: a line each second, for as long as the bench lasts. What
 * is left to measure is the way of the lines.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import {
  serveExecutor,
  type Executor,
  type LogChunk,
  type LogSource,
  type Observation,
  type RunContext,
  type RunKey,
} from '../../plugins/sdk/index.ts';
import { absent, idOf, running } from './run-keys.ts';

const EVERY_MS = 1000;

interface Run {
  readonly now: Observation;
  readonly ended: AbortController;
}

class TalkingExecutor implements Executor {
  readonly #runs = new Map<string, Run>();

  async fingerprint() {
    return { health: 'healthy', reason: '' } as const;
  }

  async prepare() {
    return '';
  }

  async start({ spec }: RunContext): Promise<Observation> {
    const now = running(spec);
    this.#runs.set(idOf(spec.key), { now, ended: new AbortController() });
    return now;
  }

  async observe({ spec }: RunContext): Promise<Observation> {
    return this.#runs.get(idOf(spec.key))?.now ?? absent(spec.key);
  }

  async list() {
    return [...this.#runs.values()].map(({ now }) => now);
  }

  async supervise({ spec }: RunContext, signal: AbortSignal) {
    const ended = this.#runs.get(idOf(spec.key))?.ended.signal;
    if (ended === undefined) return;
    const either = AbortSignal.any([signal, ended]);
    if (either.aborted) return;
    await new Promise((resolve) => either.addEventListener('abort', resolve, { once: true }));
  }

  logs({ spec }: RunContext): LogSource {
    const ended = this.#runs.get(idOf(spec.key))?.ended.signal ?? AbortSignal.abort();
    return { read: (cursor, signal) => ticks(Number(cursor), AbortSignal.any([signal, ended])) };
  }

  async stop({ spec: { key } }: RunContext) {
    const run = this.#runs.get(idOf(key));
    if (run === undefined || run.now.phase === 'exited') return;
    const outcome = { by: 'stop', reason: 'stopped' } as const;
    const now: Observation = { ...run.now, phase: 'exited', outcome, finishedAt: Date.now() };
    this.#runs.set(idOf(key), { ...run, now });
    run.ended.abort();
  }

  async remove(key: RunKey) {
    this.#runs.delete(idOf(key));
  }
}

/** Each line is the time of its printing, ms since the epoch. */
async function* ticks(from: number, signal: AbortSignal): AsyncGenerator<LogChunk> {
  for (let n = from + 1; !signal.aborted; n++) {
    const timeMs = Date.now();
    yield { stream: 'stdout', timeMs, data: Buffer.from(`${timeMs}\n`), cursor: String(n) };
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

await serveExecutor({
  name: 'talking',
  version: '1.0.0',
  config: z.strictObject({}),
  params: z.strictObject({}),
  create: async () => new TalkingExecutor(),
});
