/**
 * `agent --doctor`: looks at everything that this node needs, asks the agent when it runs, and changes nothing.
 * A wrong config is a finding too; what depends on it is then left out.
 */
import { stat } from 'node:fs/promises';
import { loadIdentity, type Identity } from '../../adapters/identity/identity-file.ts';
import {
  failure,
  fine,
  runChecks,
  skipped,
  warning,
  type Check,
  type Finding,
} from '../../adapters/doctor/check.ts';
import { diskRoom, holePunching } from '../../adapters/doctor/disk.ts';
import {
  cgroupVersion,
  clockSynchronised,
  machineId,
  nodeVersion,
} from '../../adapters/doctor/machine.ts';
import { storeCheck } from '../../adapters/doctor/store-files.ts';
import type { TransportOptions } from '../../adapters/nats/port.ts';
import { LimpetError } from '../../core/errors.ts';
import { parseNodeId, type NodeId } from '../../core/ids.ts';
import type { DoctorReport } from '../../wire/doctor.ts';
import { inboxPrefix } from '../../wire/subjects.ts';
import { VERSION } from '../../wire/version.ts';
import { loadAgentConfig, type AgentConfig } from '../config.ts';
import { agentFolders } from '../executions/folders.ts';
import { ExecutionRepository } from '../executions/repository.ts';
import { SCHEMA_VERSION } from '../state.ts';
import { askLiveAgent, type LiveAgent } from './ask-agent.ts';
import { dockerEngine } from './engine.ts';
import { pluginChecks } from './plugin.ts';
import { requesterChecks } from './requester.ts';
import { socketCheck } from './socket.ts';
import { unitCheck } from './unit.ts';
import { credentialsOf, type Way } from './way.ts';

const EVERYBODY_READS = 0o004;

export interface DoctorOrder {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
}

export async function agentDoctor(order: DoctorOrder): Promise<DoctorReport> {
  const read = await loadAgentConfig(order.config, order.data).catch((thrown: unknown) =>
    LimpetError.from(thrown),
  );
  const machine = [nodeVersion(), clockSynchronised(), cgroupVersion()];
  if (read instanceof LimpetError) return report(false, [...machine, ...wrongConfig(read)]);
  const agent = await askLiveAgent(read.dataDir);
  const identity = await loadIdentity(read.dataDir).catch(() => undefined);
  const way = credentialsOf(read, identity, process.env);
  return report(agent.state === 'answers', [
    ...machine,
    { name: 'config', look: () => configFinding(order.config, read) },
    ...hostChecks(read, agent, identity),
    { name: 'credentials', look: () => way.finding },
    ...requesterChecks({
      nodeId: nodeIdOf(agent, identity),
      options: transportOf(read, identity, way),
      agent,
    }),
    ...(await pluginChecks(read, agent)),
    { name: 'agent', look: () => ownWord(agent) },
  ]);
}

async function report(running: boolean, checks: readonly Check[]): Promise<DoctorReport> {
  return { v: 1, program: 'agent', version: VERSION, running, checks: await runChecks(checks) };
}

function wrongConfig({ message }: LimpetError): readonly Check[] {
  const rest = 'the config is wrong';
  return [
    { name: 'config', look: () => failure(message, 'see docs/reference/agent-config.md') },
    { name: 'everything else', look: () => skipped(rest, 'correct the config first') },
  ];
}

async function configFinding(file: string | undefined, config: AgentConfig): Promise<Finding> {
  if (file === undefined) return fine('none given: every field has its default');
  const { mode } = await stat(file);
  const open = (mode & EVERYBODY_READS) !== 0 && config.nats.password !== undefined;
  return open
    ? warning(
        `${file} is valid; it holds a password and everybody may read it`,
        `chmod o-r ${file}`,
      )
    : fine(`${file} is valid`);
}

function hostChecks(
  config: AgentConfig,
  agent: LiveAgent,
  identity: Identity | undefined,
): readonly Check[] {
  const { dataDir, minFreeBytes, executors } = config;
  return [
    machineId(config.machineIdFile, identity?.machineId),
    diskRoom(dataDir, minFreeBytes),
    holePunching(dataDir),
    socketCheck(config, agent),
    unitCheck(agent, executors.process.enabled),
    storeCheck({
      folder: agentFolders(dataDir).store,
      schemaVersion: SCHEMA_VERSION,
      generation: async () => identity?.generation ?? 0,
      running: agent.state === 'answers',
      describe: async (store) => {
        const { records, quarantined } = await new ExecutionRepository(store).loadUnfinished();
        const bad = quarantined.length === 0 ? '' : `, ${quarantined.length} not readable`;
        return `${records.length} executions that are not over${bad}`;
      },
    }),
    dockerEngine(config),
  ];
}

function nodeIdOf(agent: LiveAgent, identity: Identity | undefined): NodeId | undefined {
  if (identity !== undefined) return identity.nodeId;
  return agent.state === 'answers' ? parseNodeId(agent.status.nodeId) : undefined;
}

function transportOf(
  config: AgentConfig,
  identity: Identity | undefined,
  way: Way,
): TransportOptions {
  const { servers, pingIntervalMs } = config.nats;
  const { tls } = way;
  return {
    ...{ servers, pingIntervalMs, name: 'limpet-doctor' },
    inboxPrefix: identity === undefined ? '_INBOX.doctor' : inboxPrefix(identity.nodeId),
    credentials: () => way.credentials,
    ...(tls === undefined ? {} : { tls: () => tls }),
  };
}

/** What the agent itself says is not as it should be. */
function ownWord(agent: LiveAgent): Finding {
  if (agent.state === 'away')
    return warning(
      'no agent runs on this folder',
      'start it: systemctl start limpet-agent, or limpet agent',
    );
  if (agent.state === 'silent') return skipped(agent.reason);
  const { degraded, pid } = agent.status;
  return degraded.length === 0
    ? fine(`runs, pid ${pid}, nothing is degraded`)
    : warning(`runs, pid ${pid}: ${degraded.join('; ')}`, 'see docs/troubleshooting.md');
}
