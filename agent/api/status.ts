/** What `limpet agent status` shows. */
import type { Resources } from '../../core/resources.ts';
import type { ReloadReport } from '../../wire/reload.ts';
import type { Housekeeping } from '../housekeeping/housekeeper.ts';
import type { LinkStatus } from '../link/condition.ts';
import type { ExecutorHealth } from '../plugins/port.ts';

export interface ExecutorStatus extends ExecutorHealth {
  readonly recovery: 'recovering' | 'complete';
  /** Of the last recovery: runs adopted alive, runs that had ended, duration. */
  readonly adopted: number;
  readonly ended: number;
  readonly recoveryMs: number;
}

export interface ExecutionStatus {
  readonly id: string;
  readonly jobId: string;
  readonly executor: string;
  readonly state: string;
  readonly run: number;
  readonly startedAt?: number;
  readonly progress: string;
}

export interface AgentStatus {
  readonly ok: boolean;
  /** One sentence for each thing that is not as it should be. */
  readonly degraded: readonly string[];
  readonly version: string;
  readonly pid: number;
  readonly nodeId: string;
  readonly name: string;
  readonly dataDir: string;
  readonly startedAt: number;
  /** From process start to all executors recovered; undefined while one is not. */
  readonly readyMs?: number;
  /** It takes no new work, by its operator's order; undefined while it does. */
  readonly drainedSince?: number;
  /** Of the last order to read the config again. */
  readonly reloaded?: ReloadReport;
  readonly housekeeping: Housekeeping;
  readonly capacity: Resources;
  readonly allocated: Resources;
  readonly link: LinkStatus;
  /** Of logs and results that are read now. */
  readonly streams: number;
  readonly executors: readonly ExecutorStatus[];
  readonly executions: readonly ExecutionStatus[];
  /** Records that could not be read: kept under `quarantine/` in the store. */
  readonly quarantined: readonly string[];
  /** Runs of this node without a record: kept running, never touched. */
  readonly foreign: readonly string[];
}
