/** What the author of an executor whose work is a process says, and what the SDK makes of it. */
import type { z } from 'zod';
import type { ExecutorHost, Fingerprint, Progress, RunContext, RunSpec } from '../types.ts';

/** A user that a command runs as. Needs root, setpriv and, for `maxProcesses`, prlimit. */
export interface HeldUser {
  readonly uid: number;
  readonly gid: number;
  /** Processes of this user, those of all its runs together. */
  readonly maxProcesses: number;
}

/** The process that one run is. */
export interface HeldCommand {
  /**
   * Program and arguments, at least the program; no shell is involved. A plain name is looked up in PATH of the run's
   * environment; one that is not there is `refused` before anything is started. A relative path with a slash counts from `cwd`.
   */
  readonly argv: readonly string[];
  /**
   * Where it starts, relative to the run's work folder (`<run folder>/work`, made by the SDK and its default). Each mount of
   * the run is a symbolic link in there: what the job has at `/input` is `./input`. A folder that is not there is `refused`.
   */
  readonly cwd?: string;
  /** Laid over PATH, HOME, LANG and TZ of the plugin and over the variables of the job (`run.spec.env`). */
  readonly env?: Readonly<Record<string, string>>;
  /** Bounds its memory by `ulimit -v`, in bytes; that is address space, which node, java and others reserve in plenty. */
  readonly maxAddressSpaceBytes?: number;
  /** Bytes of output at which the run is ended, `limit` `output`, when nobody takes any for 10 s; at least 16 MiB, missing: 1 GiB. */
  readonly maxOutputBytes?: number;
  /** Missing: it runs as the plugin does. */
  readonly user?: HeldUser;
}

/** What a `HeldExecutor` asks its author. */
export interface HeldWork<Params> {
  /**
   * The command of a run. Called at Prepare (unless there is a `prepare`) and at Start, again after a crash, and never once
   * the run has begun. It must not do anything. LimpetError `refused`: the work itself cannot run; the message goes to people.
   */
  readonly command: (run: RunContext<Params>) => HeldCommand | Promise<HeldCommand>;
  /** Every 5 s; a throw is `unhealthy`. Missing: healthy. Not asked on a host without /bin/sh, which is `undetected`. */
  readonly fingerprint?: () => Fingerprint | Promise<Fingerprint>;
  /**
   * Fetches what the command needs and answers the digest that names it, '' for none: it comes back as `run.spec.digest`.
   * Repeatable. Missing: the program of `command` is looked for. LimpetError `refused`: the work cannot run here.
   */
  readonly prepare?: (
    spec: RunSpec<Params>,
    progress: (progress: Progress) => void,
    signal: AbortSignal,
  ) => string | Promise<string>;
  /**
   * The params of a run whose folder somebody has deleted while it lives, out of its argv: with it such a run is followed,
   * stopped and reported as before; without it, it can only be listed and removed.
   */
  readonly paramsOf?: (argv: readonly string[]) => Params;
}

/** What is known since Configure, handed to every function of a `HeldDefinition`. */
export interface HeldFacts<Config> {
  /** The plugin's section of the agent's config, as the schema has parsed it, defaults filled in. */
  readonly config: Config;
  readonly host: ExecutorHost;
}

/** An executor whose work is a process; see `heldExecutor`. */
export interface HeldDefinition<Config, Params> {
  /** Engine type of the jobs that it runs: a lower-case letter, then up to 31 lower-case letters, digits and hyphens. */
  readonly name: string;
  /** Of the plugin, shown to operators. */
  readonly version: string;
  /** Schema of the plugin's config; missing: it has none, and an empty object is all it takes. */
  readonly config?: z.ZodType<Config>;
  /** Schema of `Engine.Params` of a job. Field names begin with a capital. `describe` is what people are shown of a field. */
  readonly params: z.ZodType<Params>;
  /** As of `HeldWork`. */
  readonly command: (
    run: RunContext<Params>,
    facts: HeldFacts<Config>,
  ) => HeldCommand | Promise<HeldCommand>;
  /** As of `HeldWork`. */
  readonly fingerprint?: (facts: HeldFacts<Config>) => Fingerprint | Promise<Fingerprint>;
  /** As of `HeldWork`; `signal` fires when nobody waits for it any more. */
  readonly prepare?: (
    spec: RunSpec<Params>,
    facts: HeldFacts<Config> & {
      readonly progress: (progress: Progress) => void;
      readonly signal: AbortSignal;
    },
  ) => string | Promise<string>;
  /** As of `HeldWork`. */
  readonly paramsOf?: (argv: readonly string[]) => Params;
}
