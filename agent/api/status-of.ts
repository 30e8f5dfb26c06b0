/** Gathers the status out of the live parts. */
import type { Corrupt } from '../../adapters/store/port.ts';
import { progressLine } from '../../core/live-progress.ts';
import type { Identity } from '../../adapters/identity/identity-file.ts';
import type { PluginFact } from '../../wire/plugins.ts';
import { reloadLine, type ReloadReport } from '../../wire/reload.ts';
import type { AgentConfig } from '../config.ts';
import { foreignShape, foreignText } from '../executions/foreign-shape.ts';
import type { LiveExecution } from '../executions/live.ts';
import type { ExecutionService } from '../executions/service.ts';
import { executorInfos, type NodeInfoSources } from '../link/node-info.ts';
import type { Housekeeping } from '../housekeeping/housekeeper.ts';
import type { LinkStatus } from '../link/condition.ts';
import type { ExecutorHealth } from '../plugins/port.ts';
import type { AgentStatus, ExecutorStatus } from './status.ts';
import { storeProblems, type StoreFacts } from './store-problems.ts';

export interface StatusParts {
  readonly config: AgentConfig;
  readonly identity: Identity;
  readonly startedAt: number;
  readonly version: string;
  readonly sources: NodeInfoSources;
  readonly service: ExecutionService;
  readonly link: LinkStatus;
  readonly quarantined: readonly Corrupt[];
  readonly store: StoreFacts;
  /** What its unit would do to its work. */
  readonly unit: readonly string[];
  /** What is wrong with its credentials, and what the broker does not allow. */
  readonly broker: readonly string[];
  /** Why its socket is closed to the group that the config names. */
  readonly socket: string | undefined;
  /** By an operator's order. */
  readonly drainedSince: number | undefined;
  readonly reloaded: ReloadReport | undefined;
  readonly housekeeping: Housekeeping;
  readonly plugins: readonly PluginFact[];
  /** Open now, of logs and results. */
  readonly streams: number;
}

/** One sentence for each thing that is not as it should be. */
export function degradedOf(parts: StatusParts): readonly string[] {
  const { sources, link, quarantined } = parts;
  return [
    ...parts.unit,
    ...parts.broker,
    ...(parts.socket === undefined ? [] : [parts.socket]),
    ...drainLine(parts.drainedSince),
    ...reloadProblem(parts.reloaded),
    ...storeProblems(parts.store, sources.engine),
    ...degradations(sources.health(), link, quarantined),
    ...pluginProblems(parts.plugins),
  ];
}

export function agentStatus(parts: StatusParts): AgentStatus {
  const { sources, service, link, quarantined } = parts;
  const executors = executorStatus(parts);
  const reports = [...service.recoveryReports().values()];
  const readyMs = service.readyAt === undefined ? undefined : service.readyAt - parts.startedAt;
  return {
    ok: true,
    degraded: degradedOf(parts),
    version: parts.version,
    pid: process.pid,
    nodeId: parts.identity.nodeId,
    name: sources.facts.name,
    dataDir: parts.config.dataDir,
    startedAt: parts.startedAt,
    ...(readyMs === undefined ? {} : { readyMs }),
    ...(parts.drainedSince === undefined ? {} : { drainedSince: parts.drainedSince }),
    ...(parts.reloaded === undefined ? {} : { reloaded: parts.reloaded }),
    housekeeping: parts.housekeeping,
    capacity: sources.facts.capacity,
    allocated: sources.engine.allocated,
    ...{ link, streams: parts.streams },
    executors,
    executions: [...sources.engine.all()].filter(isOrdinary).map(({ record, progress }) => ({
      id: record.placement.executionId,
      jobId: record.placement.jobId,
      executor: record.placement.task.Engine.Type,
      state: record.state,
      run: record.run,
      progress: progress === undefined ? '' : progressLine(progress),
      ...(record.startedAt === undefined ? {} : { startedAt: record.startedAt }),
    })),
    quarantined: quarantined.map((c) => `${c.key}: ${c.reason}`),
    foreign: [
      ...service.foreign.all().map(({ record }) => foreignText(foreignShape(record))),
      ...reports.flatMap((r) =>
        r.foreign.map((run) => `${r.executor}: ${run.executionId} run ${run.run} ${run.phase}`),
      ),
    ],
  };
}

/** Of those that work: a newer version of one has not taken its place. */
function pluginProblems(plugins: readonly PluginFact[]): string[] {
  return plugins
    .filter(({ state, health, reason }) => isUp(state) && health === 'healthy' && reason !== '')
    .map(({ name, reason }) => `plugin ${name}: ${reason}`);
}

function isUp(state: PluginFact['state']): boolean {
  return state === 'running' || state === 'upgrading';
}

function drainLine(since: number | undefined): string[] {
  if (since === undefined) return [];
  return [
    `drained since ${new Date(since).toISOString()}: no new work is taken; \`limpet agent drain --off\` ends it`,
  ];
}

/** Until the next one that goes well. */
function reloadProblem(last: ReloadReport | undefined): string[] {
  return last === undefined || last.result === 'reloaded'
    ? []
    : [`the config was read again at ${new Date(last.at).toISOString()}: ${reloadLine(last)}`];
}

function executorStatus({ sources, service }: StatusParts): ExecutorStatus[] {
  const recovery = new Map(executorInfos(sources).map((info) => [info.name, info.recovery]));
  return sources.health().map((health) => {
    const report = service.recoveryReports().get(health.name);
    return {
      ...health,
      recovery: recovery.get(health.name) ?? 'recovering',
      adopted: report?.adopted ?? 0,
      ended: report?.ended ?? 0,
      recoveryMs: report?.tookMs ?? 0,
    };
  });
}

function degradations(
  executors: readonly ExecutorHealth[],
  link: LinkStatus,
  quarantined: readonly Corrupt[],
): string[] {
  return [
    ...executors
      .filter((e) => e.health !== 'healthy')
      .map((e) => `executor ${e.name} is ${e.health}: ${e.reason}`),
    ...(link.state === 'linked' ? [] : [`link to the requester: ${link.detail}`]),
    ...(link.full
      ? [`${link.waitingBytes} bytes of reports wait for the requester: no new work is taken`]
      : []),
    ...(link.passedOver === undefined ? [] : [link.passedOver]),
    ...(quarantined.length === 0
      ? []
      : [`${quarantined.length} records could not be read and are in quarantine`]),
  ];
}

function isOrdinary({ record }: LiveExecution): boolean {
  return record.foreign === undefined;
}
