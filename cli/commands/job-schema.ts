/** `limpet job schema [ENGINE]`: the JSON Schema of a job file, with the params that executors take, for editors. */
import type { Command } from 'commander';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { jobFileSchema, type EngineParams } from '../../core/job-file-schema.ts';
import type { ApiClient } from '../api/client.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { engineParams } from '../jobs/engines.ts';
import { apiCommand, connect } from '../options.ts';
import type { ApiOptions } from '../options.ts';

const HELP = `
Write it to a file and name that in the first line of a job file:
  limpet job schema > job.schema.json
  # yaml-language-server: $schema=job.schema.json
The params of engines are those that the nodes of the requester take.`;

export function jobSchema(context: Context): Command {
  return apiCommand('schema', 'print the JSON Schema of a job file, for editors')
    .argument('[engine]', 'with the params of this engine only, which a node has to have told')
    .addHelpText('after', HELP)
    .action(async (engine: string | undefined, options: ApiOptions) => {
      const api = connect(context, options);
      const engines = engine === undefined ? await known(context, api) : await one(api, engine);
      // As exact as it came: bounds of numbers may be large ones.
      print(context, stringifyExact(jobFileSchema(engines)));
    });
}

async function known(context: Context, api: ApiClient): Promise<EngineParams[]> {
  try {
    return (await engineParams(api)).filter(({ schemas }) => schemas.length > 0);
  } catch (thrown) {
    note(context, `without the params of engines: ${messageOf(thrown)}`);
    return [];
  }
}

async function one(api: ApiClient, engine: string): Promise<EngineParams[]> {
  const engines = await engineParams(api);
  const found = engines.filter(({ type }) => type === engine.toLowerCase());
  if (found.some(({ schemas }) => schemas.length > 0)) return found;
  const told = engines.filter(({ schemas }) => schemas.length > 0).map(({ type }) => type);
  const list = told.length === 0 ? 'none yet' : told.join(', ');
  throw new LimpetError(
    'not-found',
    `no node has told which params engine '${engine}' takes; known: ${list}`,
  );
}
