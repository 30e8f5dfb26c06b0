/** Hands over the config and the host facts, and learns the schema of task params. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { SchemaChecks } from '../../adapters/schemas/schema-check.ts';
import { judgeConfig } from './config-fault.ts';
import type { PluginLink } from './link.ts';
import type { ConfigSchemaResponse } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import type { PluginDeps } from './options.ts';
import type { PluginSpec } from './port.ts';

/** Answers the JSON Schema of the task params. Repeatable. Errors: `invalid-config`, those of the plugin, `plugin-failed`. */
export async function configure(
  spec: PluginSpec,
  link: PluginLink,
  deps: PluginDeps,
): Promise<unknown> {
  const { configureFacts, timings } = deps;
  const stateDir = join(configureFacts.stateDir, spec.name);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const schemas = await askSchemas(spec, link, deps);
  checkConfig(spec, schemas.configSchemaJson, deps);
  const { nodeId, instanceId, logsDir, socketsDir } = configureFacts;
  // Each executor has run folders of its own, so that none meets the runs of another.
  const runsDir = join(configureFacts.runsDir, spec.name);
  const facts = { nodeId, instanceId, runsDir, logsDir, socketsDir, stateDir };
  const configJson = JSON.stringify(spec.config ?? {});
  const options = { deadlineMs: timings.calls.configureMs, signal: link.closed };
  await link.executor.configure({ configJson, ...facts }, options);
  return parseSchema(spec.name, schemas.paramsSchemaJson);
}

/** The same of a plugin that is configured, whatever with. */
export async function askParamsSchema(
  spec: PluginSpec,
  link: PluginLink,
  deps: PluginDeps,
): Promise<unknown> {
  return parseSchema(spec.name, (await askSchemas(spec, link, deps)).paramsSchemaJson);
}

async function askSchemas(
  { name }: PluginSpec,
  link: PluginLink,
  { timings, schemas: told }: PluginDeps,
): Promise<ConfigSchemaResponse> {
  const options = { deadlineMs: timings.calls.configureMs, signal: link.closed };
  const schemas = await link.executor.configSchema({}, options);
  told?.learn(name, schemas);
  return schemas;
}

/** Errors: `invalid-config`. A schema that cannot be used leaves it to the plugin. */
function checkConfig(spec: PluginSpec, schemaJson: string, { checks, log }: PluginDeps): void {
  const by = checks ?? new SchemaChecks({ metaschema: false });
  const { fault, problem } = judgeConfig(spec, schemaJson, by);
  if (problem !== undefined) log.warn('plugin.config-schema-unusable', { reason: problem });
  if (fault !== undefined) throw new LimpetError('invalid-config', fault);
}

function parseSchema(name: string, json: string): unknown {
  try {
    return json === '' ? {} : JSON.parse(json);
  } catch (error) {
    throw new LimpetError(
      'plugin-failed',
      `the params schema of plugin ${name} is no JSON: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
