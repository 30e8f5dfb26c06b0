/** Everything an executor author needs: `serveExecutor`, the contract's types, and help for runs held by a process. */
export { z } from 'zod';
export { EitherSignal } from '../../core/either-signal.ts';
export { LimpetError, messageOf } from '../../core/errors.ts';
export type { Outcome, OutcomeCause } from '../../core/execution/outcome.ts';
export type {
  FollowedProcess,
  Processes,
  ProcessIdentity,
  ProcessLook,
} from '../../adapters/processes/port.ts';
export type * from './types.ts';
export { serveExecutor, type ServeOptions } from './serve.ts';
export { removeFolder, syncFolder } from '../../adapters/durable/folders.ts';
export { readIfThere } from '../../adapters/durable/if-there.ts';
export { writeDurably } from '../../adapters/durable/write-durably.ts';
export { listRuns } from './list-runs.ts';
export { runLabels, type RunLabels } from './run-folder.ts';
export {
  formatExit,
  killSurvivors,
  observeHeld,
  orderDeadline,
  orderLease,
  parseClaim,
  parseExit,
  readClaim,
  readExit,
  readLease,
  survivors,
  type Claim,
  type ExitRecord,
} from './held-run.ts';
export { isStopOrdered, orderStop, readOrder, type RecordedOrder } from './stop-order.ts';
export { heldExecutor } from './held/definition.ts';
export { HeldExecutor, type HeldExecutorPorts } from './held/held-executor.ts';
export { NONCE_VARIABLE, nonceOf } from './held/marks.ts';
export { spawnHeld } from './held/spawn-held.ts';
export type * from './held/types.ts';
export { FolderBell, type Pace, type Waited } from './folder-bell.ts';
export type { RawName } from './raw-files.ts';
export { rawSource, type RawSourceOptions } from './raw-source.ts';
export { aborted, pause, within } from './pause.ts';
export { isLive } from './types.ts';
