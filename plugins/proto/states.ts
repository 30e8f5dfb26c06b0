/** The proto's words for the state of a run and of an executor, in those of the core. */
import type { RunPhase } from '../../core/execution/observed.ts';
import { Health, Phase } from './gen/limpet/executor/v1/executor_pb.js';

export const PHASES: Readonly<Record<Phase, RunPhase>> = {
  [Phase.UNSPECIFIED]: 'unobservable',
  [Phase.ABSENT]: 'absent',
  [Phase.CREATED]: 'created',
  [Phase.RUNNING]: 'running',
  [Phase.PAUSED]: 'paused',
  [Phase.EXITED]: 'exited',
  [Phase.REMOVING]: 'removing',
  [Phase.UNOBSERVABLE]: 'unobservable',
};

export const HEALTHS: Readonly<Record<Health, 'undetected' | 'unhealthy' | 'healthy'>> = {
  [Health.UNSPECIFIED]: 'unhealthy',
  [Health.UNDETECTED]: 'undetected',
  [Health.UNHEALTHY]: 'unhealthy',
  [Health.HEALTHY]: 'healthy',
};
