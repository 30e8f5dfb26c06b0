/** The spec of a run whose folder is gone, as far as its container tells it: labels, and the image. */
import type { RunKey, RunSpec } from '../../plugins/sdk/index.ts';
import type { Container } from './engine.ts';
import { isOurs, specHashOf, type Identity } from './labels.ts';
import { phaseOf } from './observe.ts';
import { dockerParams, type DockerParams } from './params.ts';

const STOP_GRACE_MS = 10_000;

/** undefined: not ours, or never started, so that nothing has to be stopped or kept. */
export function rebuiltSpec(
  identity: Identity,
  key: RunKey,
  container: Container,
): RunSpec<DockerParams> | undefined {
  const phase = phaseOf(container.status);
  const begun = phase === 'running' || phase === 'paused' || phase === 'exited';
  if (!begun || !isOurs(identity, container)) return undefined;
  const label = (name: string): string => container.labels[`limpet.${name}`] ?? '';
  return {
    key,
    specHash: specHashOf(container.labels),
    ...{ jobId: '', jobName: '', digest: '', env: {}, mounts: [], network: '' },
    ...{ kind: label('kind'), owner: label('owner'), token: label('token') },
    params: dockerParams.parse({ Image: container.image }),
    limits: { cpuMillis: 0, memoryBytes: 0, pids: 0, diskBytes: 0 },
    deadlineAt: Number(label('deadline')) || 0,
    stopGraceMs: STOP_GRACE_MS,
  };
}
