/** Nodes as Bacalhau v1.9 writes them; what it has no word for stands in labels of ours. */
import { subtractResources, type Resources } from '../../core/resources.ts';
import type { ExecutorInfo } from '../../wire/messages.ts';
import type { NodeRecord } from '../state/records.ts';
import type { MemberRecord } from '../state/roster.ts';
import type { SchemaShelf } from '../nodes/schema-shelf.ts';
import { executorSchema } from './executor-schema.ts';
import { resourcesShape } from './job-shape.ts';
import { VERSION_SHAPE } from './version.ts';

const NEVER = '0001-01-01T00:00:00Z';

/** What is known of a node only now. */
export interface NodeNow {
  readonly heardAt: number;
  readonly allocated: Resources;
  readonly running: number;
  /** Of a node that joined by an authority. */
  readonly member?: MemberRecord | undefined;
  /** Where one node is asked for. */
  readonly schemas?: SchemaShelf;
}

export function nodeShape(node: NodeRecord, now: NodeNow) {
  const { connection, membership, info } = node;
  const connected = connection.state === 'connected' && membership.state === 'approved';
  const since = new Date(connection.at).toISOString();
  return {
    Info: {
      NodeID: node.id,
      NodeType: 'Compute',
      Labels: info.labels,
      SupportedProtocols: ['limpet/v1'],
      ComputeNodeInfo: computeShape(node, now),
      BacalhauVersion: { ...VERSION_SHAPE, GitVersion: info.version },
    },
    Membership: membership.state.toUpperCase(),
    Connection: connected ? 'CONNECTED' : 'DISCONNECTED',
    ConnectionState: {
      Status: connected ? 'CONNECTED' : 'DISCONNECTED',
      LastHeartbeat: new Date(now.heardAt).toISOString(),
      ConnectedSince: connected ? since : NEVER,
      DisconnectedSince: connected ? NEVER : since,
      ...(connected ? {} : { LastError: `${connection.state}: ${connection.reason}` }),
    },
    // Ours: the three axes with their reasons, and the state of each executor.
    Limpet: {
      Name: info.name,
      Membership: membership,
      Connection: connection,
      Scheduling: node.scheduling,
      ...(now.member === undefined ? {} : { Identity: identityShape(now.member) }),
      // Another agent with this id, and maybe its key, that was sent away.
      ...(node.copy === undefined ? {} : { Copy: node.copy }),
      Executors: executorsShape(info.executors, now.schemas),
      // Runs that the node found without a record, and what was said to it.
      Foreign: node.foreign ?? [],
    },
  };
}

function executorsShape(executors: readonly ExecutorInfo[], schemas: SchemaShelf | undefined) {
  return executors.map((executor) => {
    const { name, version, health, reason, recovery } = executor;
    const schema = schemas === undefined ? {} : executorSchema(schemas, executor);
    return { name, version, health, reason, recovery, ...schema };
  });
}

/** Times are ms since the epoch. */
function identityShape({ publicKey, token, joinedAt, credentialsUntil }: MemberRecord) {
  return {
    PublicKey: publicKey,
    ...(token === undefined ? {} : { Token: { Id: token.id, Name: token.name } }),
    JoinedAt: joinedAt,
    CredentialsUntil: credentialsUntil,
  };
}

function computeShape({ info }: NodeRecord, now: NodeNow) {
  return {
    ExecutionEngines: info.executors
      .filter(({ health }) => health === 'healthy')
      .map(({ name }) => name),
    Publishers: info.publishers,
    StorageSources: info.sources,
    MaxCapacity: resourcesShape(info.capacity),
    QueueCapacity: {},
    AvailableCapacity: resourcesShape(subtractResources(info.capacity, now.allocated)),
    MaxJobRequirements: resourcesShape(info.capacity),
    RunningExecutions: now.running,
    EnqueuedExecutions: 0,
    address: '',
  };
}

export function requesterShape(requesterId: string) {
  return {
    NodeID: requesterId,
    NodeType: 'Requester',
    Labels: {},
    SupportedProtocols: ['limpet/v1'],
    ComputeNodeInfo: {
      ...{ ExecutionEngines: [], Publishers: [], StorageSources: [] },
      ...{ MaxCapacity: {}, QueueCapacity: {}, AvailableCapacity: {}, MaxJobRequirements: {} },
      ...{ RunningExecutions: 0, EnqueuedExecutions: 0, address: '' },
    },
    BacalhauVersion: VERSION_SHAPE,
  };
}
