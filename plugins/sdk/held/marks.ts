/**
 * What a holder carries in its environment, readable in /proc by us alone, so that it is known without any file of ours.
 *
 *   LIMPET_RUN       which run: `<execution id>/<run>`               inherited by all that it starts
 *   LIMPET_HELD_FOR  whose: `<node id>/<instance id>:<runs folder>`  inherited too; another agent's has another value
 *   LIMPET_LABELS    what its owner is told by, JSON                 the holder's alone
 */
import { realpathSync } from 'node:fs';
import { keyText, runLabels, type RunLabels } from '../run-folder.ts';
import type { ExecutorHost, RunKey, RunSpec } from '../types.ts';

export const NONCE_VARIABLE = 'LIMPET_RUN';
export const HELD_FOR = 'LIMPET_HELD_FOR';
export const LABELS = 'LIMPET_LABELS';

export const NO_LABELS: RunLabels = {
  ...{ specHash: '', jobId: '', jobName: '', kind: '', owner: '', token: '', deadlineAt: 0 },
};

type Host = Pick<ExecutorHost, 'nodeId' | 'instanceId' | 'runsDir'>;

/** A copy of an agent's folder has its identity too, but lies elsewhere. */
export function heldFor({ nodeId, instanceId, runsDir }: Host): string {
  return `${nodeId}/${instanceId}:${realpathSync(runsDir)}`;
}

/** The runs folder that one was held for. */
export function runsDirOf(heldFor: string | undefined): string | undefined {
  return /^[^:]*:(.*)$/s.exec(heldFor ?? '')?.[1];
}

/** The nonce is the run itself: only our holders carry it, and execution ids are unique but for copies of an agent. */
export function nonceOf(key: RunKey): string {
  return keyText(key);
}

export function marksOf(host: Host, spec: RunSpec): Record<string, string> {
  return {
    [NONCE_VARIABLE]: nonceOf(spec.key),
    [HELD_FOR]: heldFor(host),
    // Names that are not in the schema are left out.
    [LABELS]: JSON.stringify(runLabels.parse(spec)),
  };
}

/** Of one that cannot be read nothing is known. */
export function parseLabels(text: string | undefined): RunLabels {
  try {
    return runLabels.parse(JSON.parse(text ?? ''));
  } catch {
    return NO_LABELS;
  }
}

/** The run that a nonce names. */
export function runOfNonce(nonce: string | undefined): RunKey | undefined {
  const [, executionId, run] =
    /^([A-Za-z0-9][A-Za-z0-9_.-]{0,127})\/(\d{1,9})$/.exec(nonce ?? '') ?? [];
  return executionId === undefined ? undefined : { executionId, run: Number(run) };
}
