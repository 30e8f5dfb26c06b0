import { z } from 'zod';
import type { ExecutorDefinition } from '../types.ts';
import { HeldExecutor } from './held-executor.ts';
import type { HeldDefinition, HeldWork } from './types.ts';

/**
 * An executor whose work is a process, out of little more than its command, for `serveExecutor`:
 *
 *   await serveExecutor(
 *     heldExecutor({
 *       name: 'shell',
 *       version: '0.1.0',
 *       params: z.strictObject({ Script: z.string() }),
 *       command: ({ spec }) => ({ argv: ['/bin/sh', '-c', spec.params.Script] }),
 *     }),
 *   );
 *
 * Each run is held by a small process that outlives plugin and agent: it starts the command once, keeps deadline and lease,
 * carries out a stop (the signal, then KILL after the grace), ends what the command leaves behind and writes down how the
 * run ended, all with nobody else alive. Its output is kept and read from where the plugin left off.
 */
export function heldExecutor<Params, Config = Record<string, never>>(
  definition: HeldDefinition<Config, Params>,
): ExecutorDefinition<Config, Params> {
  const { name, version, params } = definition;
  return {
    name,
    version,
    capabilities: { held: true },
    config: definition.config ?? noConfig<Config>(),
    params,
    create: async (config, host) => {
      const facts = { config, host };
      const { fingerprint, prepare, paramsOf } = definition;
      const work: HeldWork<Params> = {
        command: (run) => definition.command(run, facts),
        ...(fingerprint && { fingerprint: () => fingerprint(facts) }),
        ...(prepare && {
          prepare: (spec, progress, signal) => prepare(spec, { ...facts, progress, signal }),
        }),
        ...(paramsOf && { paramsOf }),
      };
      return new HeldExecutor({ host, env: process.env, work });
    },
  };
}

/** Without a schema of its own `Config` is the empty object. */
function noConfig<Config>(): z.ZodType<Config> {
  return z.strictObject({}) as unknown as z.ZodType<Config>;
}
