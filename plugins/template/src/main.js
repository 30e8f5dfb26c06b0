#!/usr/bin/env node
/** The executor `__NAME__`: each run is a shell script. */
import { accessSync, constants } from 'node:fs';
import { heldExecutor, serveExecutor, z } from '../limpet-sdk/index.js';

await serveExecutor(
  heldExecutor({
    name: '__NAME__',
    version: '0.1.0',

    // What an operator may set.
    config: z.strictObject({
      shell: z.string().default('/bin/sh').describe('Absolute path of the shell.'),
    }),

    // What a job says under Engine.Params.
    params: z.strictObject({
      Script: z.string().min(1).describe('What the shell runs.'),
    }),

    // Whether this host can do it now. Asked every 5 s.
    fingerprint: ({ config }) => {
      try {
        accessSync(config.shell, constants.X_OK);
        return { health: 'healthy', reason: '', attributes: { shell: config.shell } };
      } catch {
        return { health: 'unhealthy', reason: `there is no program ${config.shell}` };
      }
    },

    // The process that a run is. It only answers: the SDK starts it, once.
    command: ({ spec }, { config }) => ({ argv: [config.shell, '-c', spec.params.Script] }),
  }),
);
