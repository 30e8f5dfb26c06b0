/**
 * One configured plugin: its program, who may write it, and whether it works. That of a living agent is told by the
 * agent; else the program is started in a folder of its own, asked for its handshake, health and schema, and ended again.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../adapters/clock/system-clock.ts';
import { systemRandom } from '../../adapters/clock/system-random.ts';
import { failure, fine, warning, type Check, type Finding } from '../../adapters/doctor/check.ts';
import { envFaults } from '../../adapters/faults/env-faults.ts';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { SchemaChecks } from '../../adapters/schemas/schema-check.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ConfigSchemaResponse } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import type { AgentConfig } from '../config.ts';
import { offeredPlugins } from '../own-plugins.ts';
import { judgeConfig } from '../plugins/config-fault.ts';
import { shutDown } from '../plugins/ending.ts';
import { launch } from '../plugins/launch.ts';
import type { LivePlugin } from '../plugins/live-plugin.ts';
import type { Offered } from '../plugins/offers.ts';
import { DEFAULT_TIMINGS, type PluginDeps } from '../plugins/options.ts';
import type { PluginSpec } from '../plugins/port.ts';
import { checkProgram, pinProblem } from '../plugins/program.ts';
import { identityOf, recordKey } from '../plugins/record.ts';
import { schemaProblems } from '../plugins/schemas.ts';
import type { LiveAgent } from './ask-agent.ts';

const DEADLINE_MS = 25_000;
const NOT_STARTED = 'it is not started until that is mended';
const NO_USE = 'tell its author; until then nothing is checked by it before the plugin itself';

/** One for each plugin of config and folder; one more when the folder cannot be read. */
export async function pluginChecks(
  config: AgentConfig,
  agent: LiveAgent,
): Promise<readonly Check[]> {
  try {
    const offered = await offeredPlugins(config);
    return offered.map((offer) => pluginCheck(offer, config.pluginHealth.startMs, agent));
  } catch (thrown) {
    const reason = LimpetError.from(thrown).message;
    const look = (): Finding => failure(reason, 'correct its rights, or pluginDir in the config');
    return [{ name: 'plugins', look }];
  }
}

function pluginCheck({ spec, refused }: Offered, startMs: number, agent: LiveAgent): Check {
  return {
    name: `plugin ${spec.name}`,
    deadlineMs: DEADLINE_MS,
    look: async () => {
      if (refused !== '') return failure(refused, NOT_STARTED);
      const program = spec.command.at(-1) ?? '';
      try {
        const problem = pinProblem(spec, await checkProgram(spec));
        if (problem !== '') return failure(problem, NOT_STARTED);
      } catch (thrown) {
        return failure(LimpetError.from(thrown).message, 'install it, or correct its command');
      }
      if (agent.state === 'answers') return ofLiveAgent(spec.name, agent);
      return startOnce(spec, program, startMs);
    },
  };
}

function ofLiveAgent(name: string, agent: Extract<LiveAgent, { state: 'answers' }>): Finding {
  const plugin = agent.plugins.find((one) => one.name === name);
  if (plugin === undefined)
    return warning(
      'in the config, and the running agent does not have it',
      'let it read its config again: `limpet agent reload`',
    );
  const { state, health, reason, version, pid, restarts, warnings = [] } = plugin;
  const again = restarts === 0 ? '' : `, started again ${restarts} times`;
  const process = pid === undefined ? '' : `, version ${version}, pid ${pid}`;
  const found = `${state}, ${health}${process}${again}`;
  const look = `limpet plugin logs ${name}`;
  if (health !== 'healthy') return failure(`${found}: ${reason}`, look);
  if (reason !== '')
    return warning(`${found}: ${reason}`, `${look}; then limpet plugin restart ${name}`);
  return warnings.length === 0 ? fine(found) : warning(`${found}: ${warnings.join('; ')}`, NO_USE);
}

async function startOnce(spec: PluginSpec, program: string, startMs: number): Promise<Finding> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'ld-')));
  const deps = await depsIn(folder, startMs);
  const began = performance.now();
  try {
    const live = await launch(
      { spec, key: recordKey(spec.name) },
      deps,
      new AbortController().signal,
    );
    const tookMs = Math.round(performance.now() - began);
    const schemas = await askSchemas(live).finally(() =>
      shutDown(deps, identityOf(live.record), live.link).finally(() => live.link.close()),
    );
    const found = `${program} starts and answers within ${tookMs} ms, version ${live.info.version}`;
    return judged(spec, schemas) ?? fine(found);
  } catch (thrown) {
    return failure(LimpetError.from(thrown).message, `run it by hand: ${spec.command.join(' ')}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function askSchemas(live: LivePlugin): Promise<ConfigSchemaResponse> {
  const options = { deadlineMs: DEFAULT_TIMINGS.calls.configureMs, signal: live.link.closed };
  return live.link.executor.configSchema({}, options);
}

/** What is wrong with its config, or with one of its schemas. */
function judged(spec: PluginSpec, schemas: ConfigSchemaResponse): Finding | undefined {
  const checks = new SchemaChecks();
  const { fault } = judgeConfig(spec, schemas.configSchemaJson, checks);
  if (fault !== undefined)
    return failure(`its config is wrong: ${fault}`, 'correct its section of the config');
  const problems = schemaProblems(schemas, checks);
  return problems.length === 0 ? undefined : warning(problems.join('; '), NO_USE);
}

/** Nothing of the agent is touched: the record of the plugin lives in memory, its files in this folder. */
async function depsIn(folder: string, startMs: number): Promise<PluginDeps> {
  return {
    store: await openMemoryStore(),
    clock: systemClock(),
    processes: procProcesses(),
    log: silentLog,
    faults: envFaults({}),
    random: systemRandom,
    runDir: folder,
    configureFacts: {
      nodeId: '',
      instanceId: randomUUID(),
      ...{ runsDir: folder, logsDir: folder, stateDir: folder, socketsDir: folder },
    },
    env: process.env,
    timings: { ...DEFAULT_TIMINGS, startMs },
  };
}
