/** Jobs, executions and history as Bacalhau v1.9 writes them. */
import type { ExecutionState } from '../../core/execution/states.ts';
import { describeOutcome } from '../../core/execution/outcome.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import type { Resources } from '../../core/resources.ts';
import type { ExecutionRecord, HistoryItem, JobRecord } from '../state/records.ts';
import { nanoseconds } from './json.ts';

export function jobShape(job: JobRecord, requesterId: string) {
  const { spec } = job;
  const [task] = spec.Tasks;
  return {
    ID: job.id,
    Name: job.name,
    Namespace: spec.Namespace,
    Type: spec.Type,
    Priority: spec.Priority,
    Count: spec.Count,
    Constraints: spec.Constraints,
    Meta: { ...spec.Meta, 'bacalhau.org/orchestrator.id': requesterId },
    Labels: spec.Labels,
    ...(spec.RestartPolicy === undefined ? {} : { RestartPolicy: spec.RestartPolicy }),
    ...(spec.Disconnect === undefined ? {} : { Disconnect: spec.Disconnect }),
    Tasks: [
      {
        ...task,
        Publisher: task.Publisher ?? { Type: '' },
        Network: { ...task.Network, Type: networkWord(task.Network.Type) },
      },
    ],
    State: { StateType: job.state, ...(job.message === '' ? {} : { Message: job.message }) },
    Version: job.version,
    Revision: job.revision,
    CreateTime: nanoseconds(job.createdAt),
    ModifyTime: nanoseconds(job.modifiedAt),
  };
}

/** Bacalhau's spelling: None, Default, Host, Bridge, HTTP. */
function networkWord(type: string): string {
  return type === 'http' ? 'HTTP' : type.charAt(0).toUpperCase() + type.slice(1);
}

/** What is known of an execution beside its record. */
export interface ExecutionNow {
  readonly namespace: string;
  readonly progress: LiveProgress | undefined;
}

export function executionShape(execution: ExecutionRecord, { namespace, progress }: ExecutionNow) {
  const { token } = execution;
  const message = stateMessage(execution);
  return {
    ID: execution.id,
    Namespace: namespace,
    EvalID: execution.evaluationId,
    Name: '',
    NodeID: execution.nodeId,
    JobID: execution.jobId,
    JobVersion: token.jobVersion,
    AllocatedResources: { Tasks: { main: resourcesShape(execution.wanted) } },
    DesiredState: desiredShape(execution),
    ComputeState: {
      StateType: stateNumber(execution),
      ...(message === '' ? {} : { Message: message }),
      Details: {
        State: execution.state,
        Run: String(execution.run),
        Attempt: String(token.attempt),
      },
    },
    PublishedResult: publishedShape(execution),
    RunOutput: outputShape(execution),
    PreviousExecution: '',
    NextExecution: '',
    FollowupEvalID: '',
    ...(token.partition === 0 ? {} : { PartitionIndex: token.partition }),
    ...(progress === undefined ? {} : { Limpet: { Progress: progress } }),
    Revision: Math.max(1, execution.revision),
    CreateTime: nanoseconds(execution.placedAt),
    ModifyTime: nanoseconds(execution.modifiedAt),
  };
}

function outputShape({ stdout, stderr, outcome }: ExecutionRecord) {
  return {
    Stdout: stdout ?? '',
    StdoutTruncated: isCut(stdout),
    stderr: stderr ?? '',
    StderrTruncated: isCut(stderr),
    ExitCode: outcome?.code ?? 0,
    ErrorMsg: outcome === undefined || outcome.by === 'exit' ? '' : describeOutcome(outcome),
  };
}

const HEAD_BYTES = 2048;

function isCut(head: string | undefined): boolean {
  return head !== undefined && Buffer.byteLength(head) >= HEAD_BYTES;
}

function desiredShape({ desired, desiredReason }: ExecutionRecord) {
  if (desired === 'run') return { StateType: 1 };
  return { StateType: 2, ...(desiredReason === '' ? {} : { Message: desiredReason }) };
}

export function stateMessage({ state, revision, outcome, reason }: ExecutionRecord): string {
  if (revision === 0 && state === 'accepted') return 'sent to the node';
  if (outcome !== undefined && state !== 'completed') return describeOutcome(outcome);
  return reason;
}

const NUMBERS: Readonly<Record<ExecutionState, number>> = {
  accepted: 3,
  preparing: 5,
  starting: 5,
  running: 6,
  stopping: 6,
  restarting: 6,
  publishing: 7,
  completed: 9,
  failed: 10,
  cancelled: 11,
  declined: 4,
};

function stateNumber({ state, revision }: ExecutionRecord): number {
  return revision === 0 && state === 'accepted' ? 1 : NUMBERS[state];
}

function publishedShape({ published }: ExecutionRecord) {
  if (published === undefined) return { Type: '' };
  const { type, params } = published;
  return { Type: type, ...(Object.keys(params).length === 0 ? {} : { Params: params }) };
}

/** Cores as a float, the rest in bytes; zeros are left out. */
export function resourcesShape({ cpuMillis, memoryBytes, diskBytes, gpus }: Resources) {
  return {
    ...(cpuMillis === 0 ? {} : { CPU: cpuMillis / 1000 }),
    ...(memoryBytes === 0 ? {} : { Memory: memoryBytes }),
    ...(diskBytes === 0 ? {} : { Disk: diskBytes }),
    ...(gpus === 0 ? {} : { GPU: gpus }),
  };
}

export function historyShape(item: HistoryItem, jobId: string) {
  return {
    SeqNum: item.seq,
    Type: item.executionId === undefined ? 'JobLevel' : 'ExecutionLevel',
    JobID: jobId,
    JobVersion: item.jobVersion,
    ...(item.executionId === undefined ? {} : { ExecutionID: item.executionId }),
    Event: {
      Message: item.message,
      Topic: item.topic,
      Timestamp: new Date(item.at).toISOString(),
      ...(Object.keys(item.details).length === 0 ? {} : { Details: item.details }),
    },
    Time: new Date(item.recordedAt).toISOString(),
  };
}
