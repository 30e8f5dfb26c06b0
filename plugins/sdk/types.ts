/**
 * What an executor author implements, and what the SDK gives in return.
 *
 * The SDK owns: the wire, one mailbox per run, run folders and `run.json`, the spec-hash check, the table of supervised
 * runs, the log writer and its pump, events, retained results, health and fingerprint tickers, orderly exit.
 * The executor owns: its engine.
 *
 * A run is reported `exited` only when its outcome is recorded AND its log has been pumped to the end.
 */
import type { z } from 'zod';
import type { Processes } from '../../adapters/processes/port.ts';
import type { CrashPoint } from '../../core/crash-points.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';

export interface RunKey {
  readonly executionId: string;
  readonly run: number;
}

export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface RunLimits {
  /** 0 is "no limit" in each field. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly pids: number;
  readonly diskBytes: number;
}

/** What `run.json` keeps: the spec as received and the facts of the labels. */
export interface RunSpec<Params = unknown> {
  readonly key: RunKey;
  readonly specHash: string;
  readonly jobId: string;
  readonly jobName: string;
  readonly kind: string;
  readonly owner: string;
  readonly token: string;
  readonly params: Params;
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly limits: RunLimits;
  readonly network: string;
  /** Absolute, ms since the epoch; 0 is none. */
  readonly deadlineAt: number;
  /** What prepare answered; '' in prepare. */
  readonly digest: string;
  readonly stopGraceMs: number;
}

/** One run in the executor's hands. Its folder exists and holds a fsynced `run.json` before `start` is called. */
export interface RunContext<Params = unknown> {
  readonly spec: RunSpec<Params>;
  /** `<runs dir>/<execution id>/<run>` */
  readonly folder: string;
}

/** What is there now; `handle` here is plain text of the executor's own making. */
export type Observation = Omit<ObservedRun, 'executionId' | 'run'> & {
  readonly key: RunKey;
  /** For display: container id and name, pid. */
  readonly facts?: Readonly<Record<string, string>>;
};

export function isLive({ phase }: Observation): boolean {
  return phase === 'running' || phase === 'paused';
}

export interface Fingerprint {
  readonly health: 'undetected' | 'unhealthy' | 'healthy';
  readonly reason: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Further runs that fit now; missing is "not limited by this executor". */
  readonly freeSlots?: number;
}

export interface Progress {
  /** For people, where kind and item are not told. */
  readonly message: string;
  readonly kind?: 'image' | 'module' | 'download';
  /** The name of what is fetched. */
  readonly item?: string;
  /** Of all that is fetched. */
  readonly currentBytes?: number;
  /** Missing: not known (yet). */
  readonly totalBytes?: number;
}

export interface StopOrder {
  readonly reason: string;
  readonly by: 'stop' | 'limit';
  /** `SIGTERM` unless the job says otherwise. */
  readonly signal: NodeJS.Signals;
  readonly graceMs: number;
}

/** One piece of output, at most 64 KiB of data; `cursor` is the source's position just after it, opaque to the SDK, stored in the frame. */
export interface LogChunk {
  readonly stream: 'stdout' | 'stderr' | 'gap';
  readonly timeMs: number;
  readonly data: Uint8Array;
  readonly cursor: string;
}

/** Where a run's output comes from. */
export interface LogSource {
  /**
   * Yields what follows `cursor` ('' is the very start), live, and ends when the run has ended and everything was
   * yielded. Throws when the source is out of reach; the SDK calls again with back-off.
   */
  read(cursor: string, signal: AbortSignal): AsyncIterable<LogChunk>;
  /** The run has ended: whoever waits for news looks at once. Without it `read` has to notice the end by itself soon. */
  look?(): void;
  /** What lies before `cursor` is durable in the log and will not be asked for again: its room may be given back. */
  taken?(cursor: string): Promise<void>;
  /**
   * The log could not be written because its disk is full; called at each try. A source on the same disk has then missed
   * what the run printed meanwhile: it tells so by a gap at its place.
   */
  diskIsFull?(): void;
}

/** Facts of the host that Configure hands over; the SDK has made every folder. */
export interface ExecutorHost {
  readonly nodeId: string;
  readonly instanceId: string;
  readonly pluginInstance: string;
  readonly runsDir: string;
  readonly logsDir: string;
  readonly stateDir: string;
  readonly socketsDir: string;
  readonly bootId: string;
  readonly log: PluginLog;
  /** The folder of a run, whether or not it exists. */
  runFolder(key: RunKey): string;
  /** The spec out of `run.json`; undefined when there is none. Throws `store-corrupt` when it cannot be read. */
  readRun(key: RunKey): Promise<RunSpec | undefined>;
  /** All (execution id, run) pairs that have a folder. */
  runFolders(): Promise<readonly RunKey[]>;
  /** Tells the agent to look at a run; the SDK does so by itself when `supervise` settles. */
  wake(key: RunKey): void;
  /** Processes by identity. */
  readonly processes: Processes;
  /** A named crash point between two durable acts: `plugin.start.marked` is the executor's own, between mark and launch. */
  reach(point: CrashPoint): void;
}

export interface PluginLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface AcceptedEngine {
  readonly engineId: string;
  readonly givenUp: readonly RunKey[];
}

export interface Executor<Params = unknown> {
  /** The random id kept in the engine; undefined for executors whose engine is the host itself. */
  engineId?(): Promise<string | undefined>;
  /** Some runs are held by another engine than the one that answers. Asked when the list shows unobservable runs. */
  engineChanged?(): Promise<boolean>;
  /**
   * Takes the engine that answers now; runs that another one holds are given up and `absent` from then on. Repeatable.
   * LimpetError `unavailable`: no engine answers.
   */
  acceptEngine?(): Promise<AcceptedEngine>;
  /**
   * What it keeps in the engine for this instance beside runs, one line each, for people; removed unless it is a dry run.
   * Asked when the node is given up: nothing is put there again afterwards.
   */
  leave?(order: { readonly dryRun: boolean }): Promise<readonly string[]>;
  fingerprint(): Promise<Fingerprint>;
  /** Fetches what start needs, answers the digest to run. LimpetError `refused` when the work cannot run here. */
  prepare(
    spec: RunSpec<Params>,
    progress: (p: Progress) => void,
    signal: AbortSignal,
  ): Promise<string>;
  /**
   * Launches the run and returns when it is launched. Called once at a time per run, and again after any crash: it must
   * find what an earlier call left (a created container, a claimed runner) and go on from there, and must never start a
   * run that is marked or that its engine shows as begun. `observe` is not asked before when the run's folder was made
   * by this very call. LimpetError `refused`: the work itself cannot run.
   */
  start(run: RunContext<Params>): Promise<Observation>;
  /** What is there now, no side effects. `phase: 'absent'` when nothing is. */
  observe(run: RunContext<Params>): Promise<Observation>;
  /** Everything of this node and instance that the engine still knows, in one engine call where there is an engine. */
  list(): Promise<readonly Observation[]>;
  /**
   * Resolves when the run has ended (its outcome is then readable by `observe`). Also keeps what only the plugin can
   * keep while it lives (docker: the deadline). Never rejects for an engine that is away: it waits for it. `seen` is what
   * has just been observed, if anything was. The end that it saw may be answered, when nothing learnt later could show it
   * in another light: then nobody observes it again.
   */
  supervise(
    run: RunContext<Params>,
    signal: AbortSignal,
    seen?: Observation,
  ): Promise<Observation | void>;
  /** `seen`: as above. */
  logs(run: RunContext<Params>, seen?: Observation): LogSource;
  /**
   * Hands the order over so that it is carried out, KILL included, even if the agent dies now. Returns at once. Of a second
   * order the grace counts, if its KILL comes sooner; cause, signal and reason of the first stay.
   */
  stop(run: RunContext<Params>, order: StopOrder): Promise<void>;
  /** Ends and deletes what is left in the engine. The SDK deletes the run folder afterwards. Unknown is fine. */
  remove(key: RunKey): Promise<void>;
  renew?(run: RunContext<Params>, untilMs: number): Promise<void>;
  /**
   * The spec of a run that the engine proves to be ours, has begun, and whose folder is gone: as far as the engine tells
   * it. The SDK makes the folder anew with it, so that the run can be supervised and stopped.
   */
  rebuild?(key: RunKey): Promise<RunSpec<Params> | undefined>;
  /** Orderly exit of the plugin; never touches runs. */
  close?(): Promise<void>;
}

export interface ExecutorDefinition<Config = unknown, Params = unknown> {
  readonly name: string;
  readonly version: string;
  readonly capabilities?: {
    /** Runs are held by a process that outlives the plugin and keeps deadline, lease and stop with no plugin alive. */
    readonly held?: boolean;
    /**
     * The digest of `prepare` holds for every run of the same work: equal params, limits, network and owner, mounts of equal
     * content. `start` takes such a run as if it had been prepared, and makes again what is gone by then. Runs cannot write
     * to read-only mounts, so that these may be the same file for many.
     */
    readonly preparesOnce?: boolean;
  };
  readonly config: z.ZodType<Config>;
  readonly params: z.ZodType<Params>;
  /** Called once, at Configure. */
  create(config: Config, host: ExecutorHost): Promise<Executor<Params>>;
}

/*
 * Run folder, common to all executors. Files are written to a temporary name, fsynced and renamed, unless stated.
 *
 *   run.json        RunSpec as received (SDK); `rebuilt`: made anew by what the engine tells
 *   claim           made by the holder itself with O_EXCL and fsynced: one line `<pid> <start time> <boot id>`
 *   launching       docker's mark: the container id, fsynced before the engine is told to start
 *   exit            the exit record, one line `<by> <code or -> <finished at, ms> <reason>` (core outcome causes)
 *   stdout stderr   raw append-only output of held runs
 *   taken           how much of them is durable in the log and may be freed: `<bytes of stdout>:<bytes of stderr>`
 *   stop            an order to a held run: `<by> <signal number> <grace ms> <reason>`
 *   until           an absolute deadline in ms for a held run; ` lease` behind it: the end of the run's lease
 *   outputs/<name>  one folder per result path (made by the agent, arrives as a writable mount)
 */
