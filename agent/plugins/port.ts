/** What the execution engine sees of executor plugins. `agent/plugins/host.ts` implements it over real processes. */
import type { Path } from '../../core/job-spec-error.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import type { PluginFact } from '../../wire/plugins.ts';
import type {
  LogsRequest,
  LogsResponse,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';

export interface RunRef {
  readonly executionId: string;
  readonly run: number;
}

/** The plain form of `RunSpec` in the proto; the client converts. */
export interface RunOrder {
  readonly ref: RunRef;
  readonly specHash: string;
  readonly jobId: string;
  readonly jobName: string;
  readonly kind: string;
  readonly owner: string;
  readonly token: string;
  readonly params: unknown;
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly {
    readonly source: string;
    readonly target: string;
    readonly readOnly: boolean;
  }[];
  readonly limits: {
    readonly cpuMillis: number;
    readonly memoryBytes: number;
    readonly pids: number;
    readonly diskBytes: number;
  };
  readonly network: string;
  readonly deadlineAt: number;
  readonly digest: string;
  readonly stopGraceMs: number;
}

export interface ExecutorHealth {
  readonly name: string;
  readonly health: 'undetected' | 'unhealthy' | 'healthy';
  /** One sentence: why it is not healthy; '' when it is. */
  readonly reason: string;
  /** It is starting, or has not told its health yet: not the time to judge it. */
  readonly pending: boolean;
  readonly version: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly freeSlots: number;
  /** Nothing of it is started, or no new work is given to it: see `reason`. */
  readonly state?: 'refused' | 'removed';
  /** Of the live process, for `limpet agent status`; undefined while there is none. */
  readonly pid?: number;
  readonly instance?: string;
  readonly reattached?: boolean;
  readonly restarts: number;
}

export interface Listing {
  readonly runs: readonly ObservedRun[];
  readonly engineId: string;
  /** An engine answers, and unobservable runs of the list are held by another one. */
  readonly engineChanged: boolean;
}

/** Calls to one live plugin. Every call has a deadline; errors are LimpetErrors (`plugin-failed`, `refused`, ...). */
export interface ExecutorClient {
  readonly name: string;
  /** Resolves with the digest. Errors: `refused` (the work cannot run), `plugin-failed`, `cancelled`. */
  prepare(
    order: RunOrder,
    progress: (now: LiveProgress) => void,
    signal: AbortSignal,
  ): Promise<string>;
  start(
    order: RunOrder,
  ): Promise<{ readonly observed: ObservedRun; readonly alreadyRunning: boolean }>;
  /** Phase `absent` when the plugin does not know it. */
  recover(ref: RunRef, handle: string | undefined): Promise<ObservedRun>;
  status(ref: RunRef): Promise<ObservedRun>;
  list(): Promise<Listing>;
  /**
   * Takes the engine that answers now; runs that another one holds are given up and absent from then on. Errors:
   * `unavailable` (no engine answers), `unimplemented` (the runs of this executor are held by the host).
   */
  acceptEngine(): Promise<{ readonly engineId: string; readonly givenUp: readonly RunRef[] }>;
  /** What the plugin keeps in its engine beside runs, for people; removed unless it is a dry run. */
  leave(order: { readonly dryRun: boolean }): Promise<readonly string[]>;
  stop(
    ref: RunRef,
    order: { readonly reason: string; readonly by: 'stop' | 'limit'; readonly graceMs: number },
  ): Promise<void>;
  /** New ends of leases, ms since the epoch, which the holders keep. Errors: `unimplemented`. */
  renew(leases: readonly { readonly ref: RunRef; readonly untilMs: number }[]): Promise<void>;
  remove(ref: RunRef, withLogs: boolean): Promise<void>;
  logs(
    request: Pick<LogsRequest, 'executionId' | 'fromOffset' | 'follow' | 'tailLines'> &
      Partial<Pick<LogsRequest, 'sinceMs'>>,
    signal: AbortSignal,
  ): AsyncIterable<LogsResponse>;
  /** A digest of `prepare` holds for all runs of the same work: see `prepares_once` in the proto. */
  readonly preparesOnce?: boolean;
  /** JSON Schema of the task params, for admission. */
  readonly paramsSchema: unknown;
}

/** A run as its plugin saw it when it rang. */
export interface SeenEnd {
  readonly seen: ObservedRun;
  /** The whole log of its execution, when the plugin has sent it along. */
  readonly log?: LogsResponse['frames'];
}

export interface PluginHostEvents {
  /** A plugin is ready (started, restarted or reattached): recover its runs. `generation` grows by one each time. */
  ready(name: string, client: ExecutorClient, generation: number): void;
  /** The plugin is gone or silent; its runs may go on without it. */
  lost(name: string, reason: string): void;
  /** The plugin says: look at this run (or at everything, when `ref` is missing); `end` when it has seen its end. */
  wake(name: string, ref: RunRef | undefined, end?: SeenEnd): void;
  health(health: ExecutorHealth): void;
  /** Without it no plugin is upgraded, and none that was removed is forgotten. */
  readonly work?: PluginWork;
}

/** What whoever places work on plugins knows of it, by executor. */
export interface PluginWork {
  /** Its runs have been recovered since it was last ready. */
  isRecovered(name: string): boolean;
  /** Executions that run now. */
  running(name: string): number;
  /** Executions that are not over, and may need it still. */
  unfinished(name: string): number;
}

export interface PluginHost {
  /** Begins supervising all configured plugins; returns at once, each plugin reports by itself. */
  start(events: PluginHostEvents): void;
  client(name: string): ExecutorClient | undefined;
  health(): readonly ExecutorHealth[];
  /** Lets go of every plugin without ending it. */
  detach(): Promise<void>;
  /** Ends every plugin in an orderly way (agent stop --kill). */
  shutdown(): Promise<void>;
}

/** The set of plugins as an operator sees it, who may change it while the agent runs. */
export interface PluginSet extends PluginHost {
  set(): readonly PluginFact[];
  /**
   * Ends its process in an orderly way; a new one is started at once, and takes over its runs. When a new version could not
   * take over before, that is tried again instead. Errors: `not-found`, `refused`, `plugin-failed`.
   */
  restart(name: string): Promise<void>;
  /** Looks at config and folder now. Resolves when what follows has begun. Never throws. */
  reconsider(): Promise<void>;
}

export interface PluginSpec {
  readonly name: string;
  /** `config` when missing. */
  readonly source?: PluginFact['source'];
  /** What `checkProgram` must answer; anything when missing. */
  readonly sha256?: string | undefined;
  /** Absolute program path and arguments. */
  readonly command: readonly string[];
  /** The plugin's own section of the config; validated by its schema. */
  readonly config: unknown;
  /** Where that stands, for people. */
  readonly configAt?: { readonly file?: string | undefined; readonly path: Path };
  /** Names of variables of the agent's own environment that the plugin may see, besides PATH, HOME, LANG, TZ. */
  readonly passEnv: readonly string[];
}
