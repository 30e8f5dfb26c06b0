/** Stops a job for good; the scheduler stops its executions in the same turn. */
import { LimpetError } from '../../core/errors.ts';
import type { EvaluationId, JobId } from '../../core/ids.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Mint } from '../state/minting.ts';
import type { Reader } from '../state/reader.ts';

/** undefined when it was stopped already. Errors: `not-found`, `conflict` (it has ended otherwise). */
export function stopJob(
  {
    coordinator,
    reader,
    mint,
  }: { readonly coordinator: Coordinator; readonly reader: Reader; readonly mint: Mint },
  id: JobId,
  reason: string,
): Promise<EvaluationId | undefined> {
  return coordinator.run(async (draft) => {
    const job = draft.job(id) ?? (await reader.job(id));
    if (job === undefined) throw new LimpetError('not-found', `job not found: ${id}`);
    if (job.state === 'Stopped') return undefined;
    if (job.state === 'Completed' || job.state === 'Failed')
      throw new LimpetError(
        'conflict',
        `cannot stop job ${id}: it is ${job.state.toLowerCase()} already`,
      );
    const evaluationId = mint.evaluation();
    const message = reason === '' ? 'stopped at user request' : reason;
    draft.putJob({
      ...job,
      state: 'Stopped',
      message,
      evaluationId,
      revision: job.revision + 1,
      modifiedAt: draft.now,
    });
    draft.history(id, {
      topic: 'State Update',
      message: `Job requested to stop before completion: ${message}`,
      details: { NewState: 'Stopped' },
    });
    return evaluationId;
  });
}
