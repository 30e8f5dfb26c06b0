/** The restart policy and the lease of a job, in numbers. */
import { parseDuration } from './duration.ts';
import { DEFAULT_RESTART } from './job-defaults.ts';
import { invalid } from './job-spec-error.ts';
import {
  staysUp,
  type JobKind,
  type JobSpec,
  type RestartPolicy,
  type RestartRule,
} from './job.ts';

/** Batch and ops are not started again unless they say so; service and daemon always are. */
export function restartRule(kind: JobKind, policy: RestartPolicy = {}): RestartRule {
  const { Attempts = staysUp(kind) ? 'unlimited' : 0, Delay, MaxDelay, ResetAfter } = policy;
  const delayMs = parseDuration(Delay ?? DEFAULT_RESTART.Delay);
  return {
    ...(Attempts === 'unlimited' ? {} : { attempts: Attempts }),
    delayMs,
    maxDelayMs: Math.max(delayMs, parseDuration(MaxDelay ?? DEFAULT_RESTART.MaxDelay)),
    resetAfterMs: parseDuration(ResetAfter ?? DEFAULT_RESTART.ResetAfter),
  };
}

/** undefined: it goes on for as long as it takes, without a word from its owner. */
export function leaseOf({ Disconnect = 'keep' }: Pick<JobSpec, 'Disconnect'>): number | undefined {
  return Disconnect === 'keep' ? undefined : parseDuration(Disconnect.StopAfter);
}

/** Throws `invalid-job`. */
export function checkRestart(policy: RestartPolicy | undefined): void {
  if (policy?.Delay === undefined || policy.MaxDelay === undefined) return;
  if (parseDuration(policy.MaxDelay) < parseDuration(policy.Delay))
    throw invalid(
      ['RestartPolicy', 'MaxDelay'],
      policy.MaxDelay,
      `at least the Delay of ${policy.Delay}`,
    );
}
