/**
 * Who a container belongs to. Ours means the labels of this node and instance AND the deterministic name: `docker commit`
 * copies labels to strangers, and a name alone can be taken by anyone.
 */
import type { RunKey, RunSpec } from '../../plugins/sdk/index.ts';

export interface Identity {
  readonly nodeId: string;
  readonly instanceId: string;
}

export type Labels = Readonly<Record<string, string>>;

export const INSTANCE_LABEL = 'limpet.instance-id';
const SPEC_HASH_LABEL = 'limpet.spec-hash';

/** Two creates of one run meet in this name, so that there is never a second container. */
export function containerName(identity: Identity, key: RunKey): string {
  return `limpet-${identity.instanceId.slice(0, 8)}-${key.executionId}-${key.run}`;
}

export function runLabels(identity: Identity, spec: RunSpec): Record<string, string> {
  return {
    'limpet.execution-id': spec.key.executionId,
    'limpet.run': String(spec.key.run),
    'limpet.node-id': identity.nodeId,
    [INSTANCE_LABEL]: identity.instanceId,
    [SPEC_HASH_LABEL]: spec.specHash,
    'limpet.role': 'run',
    'limpet.owner': spec.owner,
    'limpet.token': spec.token,
    'limpet.kind': spec.kind,
    'limpet.deadline': String(spec.deadlineAt),
  };
}

export function specHashOf(labels: Labels): string {
  return labels[SPEC_HASH_LABEL] ?? '';
}

/** The run that the labels name; undefined when they name none. */
export function runOf(labels: Labels): RunKey | undefined {
  const executionId = labels['limpet.execution-id'];
  const run = labels['limpet.run'];
  if (labels['limpet.role'] !== 'run' || executionId === undefined || run === undefined)
    return undefined;
  return /^\d{1,9}$/.test(run) ? { executionId, run: Number(run) } : undefined;
}

export function isOurs(identity: Identity, container: { name: string; labels: Labels }): boolean {
  const key = runOf(container.labels);
  return (
    key !== undefined &&
    container.labels['limpet.node-id'] === identity.nodeId &&
    container.labels[INSTANCE_LABEL] === identity.instanceId &&
    container.name === containerName(identity, key)
  );
}
