/** What exists once the agent has handed over config and host facts: the executor and everything around it. */
import { mkdir } from 'node:fs/promises';
import type { z } from 'zod';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Processes } from '../../adapters/processes/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ConfigureRequest } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { EventRing } from './event-ring.ts';
import { LogTable } from './log-table.ts';
import { RunCalls } from './run-calls.ts';
import { listRunFolders, readRun, runFolder } from './run-folder.ts';
import { RunTable } from './run-table.ts';
import type { Executor, ExecutorDefinition, ExecutorHost, PluginLog, RunSpec } from './types.ts';
import { parseJson } from './wire-runs.ts';

/** What the process brings along. */
export interface PluginPorts {
  readonly log: PluginLog;
  readonly faults: Faults;
  readonly processes: Processes;
  /** From the environment; echoed by Info. */
  readonly pluginInstance: string;
}

export interface Configured<Params> {
  readonly executor: Executor<Params>;
  readonly calls: RunCalls<Params>;
  readonly table: RunTable<Params>;
  readonly logs: LogTable;
  readonly events: EventRing;
  /** Parses a spec's params. Throws `refused`. */
  readonly typed: (spec: RunSpec) => RunSpec<Params>;
}

/** Errors: `invalid-config` (names the path), and what `definition.create` throws. */
export async function configure<Config, Params>(
  definition: ExecutorDefinition<Config, Params>,
  request: ConfigureRequest,
  ports: PluginPorts,
): Promise<Configured<Params>> {
  const parsed = definition.config.safeParse(parseJson(request.configJson, 'config_json'));
  if (!parsed.success)
    throw new LimpetError(
      'invalid-config',
      `config of plugin '${definition.name}': ${oneLine(parsed.error)}`,
    );
  const { runsDir, logsDir, stateDir, socketsDir } = request;
  for (const folder of [runsDir, logsDir, stateDir, socketsDir])
    await mkdir(folder, { recursive: true, mode: 0o700 });
  const events = new EventRing();
  const logs = new LogTable(logsDir);
  const host = executorHost(request, events, ports);
  const executor = await definition.create(parsed.data, host);
  const typed = (spec: RunSpec) => typedSpec(definition, spec);
  const { log, faults } = ports;
  const table = new RunTable({ executor, logs, events, log, faults });
  const calls = new RunCalls({ executor, host, table, logs, events, faults, typed });
  return { executor, calls, table, logs, events, typed };
}

function executorHost(
  request: ConfigureRequest,
  events: EventRing,
  ports: PluginPorts,
): ExecutorHost {
  const { nodeId, instanceId, runsDir, logsDir, stateDir, socketsDir } = request;
  const { log, processes, faults, pluginInstance } = ports;
  return {
    nodeId,
    instanceId,
    pluginInstance,
    runsDir,
    logsDir,
    stateDir,
    socketsDir,
    bootId: processes.bootId(),
    log,
    processes,
    runFolder: (key) => runFolder(runsDir, key),
    readRun: async (key) => readRun(runsDir, key),
    runFolders: () => listRunFolders(runsDir),
    wake: (key) => events.push(key),
    reach: (point) => faults.reach(point),
  };
}

function typedSpec<Config, Params>(
  definition: ExecutorDefinition<Config, Params>,
  spec: RunSpec,
): RunSpec<Params> {
  const parsed = definition.params.safeParse(spec.params);
  if (parsed.success) return { ...spec, params: parsed.data };
  throw new LimpetError(
    'refused',
    `Engine.Params of the ${definition.name} executor: ${oneLine(parsed.error)}`,
  );
}

function oneLine(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');
}
