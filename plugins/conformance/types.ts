/**
 * The conformance suite of executor plugins: rules, and the bench through which a rule drives a plugin.
 *
 * How a rule is written (one promise of executor.proto, in a file `rules-GROUP.ts` that exports a list of rules; the list
 * of lists is `rules.ts`):
 *
 *   const remembered: Rule = {
 *     id: 'runs/exit-code-kept',                          // GROUP/NAME, stable
 *     title: 'The exit code of a run stays readable until Remove',
 *     needs: ['fails'],                                   // samples and capabilities without which it is skipped
 *     async check(bench) {
 *       const { plugin } = bench;                         // spawned, connected, configured, on folders of its own
 *       const spec = bench.spec('fails');                 // a fresh execution with the params of that sample
 *       await launch(plugin, spec);                       // steps.ts: Prepare and Start
 *       const seen = await ended(plugin, spec);           // polls Status; throws when it takes too long
 *       demand(seen.outcome?.code === 7, 'code 7', outcomeText(seen));
 *     },
 *   };
 *
 * A rule throws a Violation (by `demand`, `demandStatus`, ... of expect.ts) for a promise that is not kept. Anything else
 * that it throws fails the rule too, with that message as what was found. `NotApplicable` skips it with a reason.
 *
 * Every wait has a bound: unary calls have 10 s unless told otherwise, streams take a `deadlineMs`, `until` takes one, and
 * the whole rule has `seconds`, after which `bench.signal` fires, the rule has failed, and all that the bench started is
 * killed. A rule cleans up nothing: the bench removes its runs, ends every plugin that it spawned and deletes its folders.
 */
import type {
  Capabilities,
  Executor,
  RunSpecSchema,
} from '../proto/gen/limpet/executor/v1/executor_pb.js';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client, Connection } from '../proto/grpc.ts';
import type { Handshake } from '../proto/handshake.ts';

/** Engine.Params of a task. */
export type Params = Readonly<Record<string, unknown>>;

/** Params of work with a known behaviour, so that the suite can drive any executor. */
export interface Samples {
  /** Prints `out\n` to stdout and `err\n` to stderr, ends with 0 within 5 s. */
  readonly short?: Params;
  /** Ends with 7 within 5 s. */
  readonly fails?: Params;
  /** Prints `tick 0\n`, `tick 1\n`, ... to stdout, about five a second, for 10 minutes; ends at TERM. */
  readonly long?: Params;
  /** As `long`, and ignores TERM. */
  readonly stubborn?: Params;
  /** Prints 5000 lines of 60 bytes to stdout: five digits from 00000, a space, 53 times `x`; ends with 0. */
  readonly flood?: Params;
  /** As `flood`, with 200000 lines (12 MB): the number becomes as long as it has to, the line stays one of 60 bytes. */
  readonly huge?: Params;
  /** Prints the value of the variable CONFORMANCE and a newline to stdout, ends with 0. */
  readonly env?: Params;
  /** Params that the schema must refuse. */
  readonly invalid?: Params;
}

export type SampleName = keyof Samples;
export type Capability = 'held' | 'renew' | 'exec' | 'stats';
export type Need = SampleName | Capability;

/** One promise of a plugin that the suite can see kept or broken. */
export interface Rule {
  /** `group/name`: stable, used by --only and in JSON. */
  readonly id: string;
  /** One line: what the plugin does when it is right. */
  readonly title: string;
  readonly needs?: readonly Need[];
  /** True: it leaves the plugin as it was (no kill, no Shutdown, no run), so that it may share one with other such rules. */
  readonly shares?: boolean;
  /** Only with --slow, for this reason: '35 s'. */
  readonly slow?: string;
  /** Bound of the whole rule; 60 when missing. */
  readonly seconds?: number;
  check(bench: Bench): Promise<void>;
}

export interface Verdict {
  readonly rule: string;
  readonly title: string;
  readonly result: 'pass' | 'fail' | 'skip';
  /** Of a skip or a failure; '' else. */
  readonly reason: string;
  /** Of a failure. */
  readonly expected?: string;
  readonly found?: string;
  readonly ms: number;
}

/** A promise that is not kept. Both texts go into one line each. */
export class Violation extends Error {
  readonly expected: string;
  readonly found: string;

  constructor(expected: string, found: string) {
    super(`expected ${expected}; found ${found}`);
    this.name = 'Violation';
    this.expected = expected;
    this.found = found;
  }
}

/** The rule says nothing about this plugin; the message is the reason. */
export class NotApplicable extends Error {}

export type Calls = Client<(typeof Executor)['method']>;

/** A run's spec as it goes over the wire. */
export type Spec = MessageInitShape<typeof RunSpecSchema> & {
  readonly key: { readonly executionId: string; readonly run: number };
  readonly paramsJson: string;
};

/** What `bench.spec` may be told beside the sample. */
export interface SpecChanges {
  readonly run?: number;
  /** Another run of the same execution. */
  readonly executionId?: string;
  readonly specHash?: string;
  readonly env?: Record<string, string>;
  /** ms since the epoch. */
  readonly deadlineMs?: number;
  readonly stopGraceMs?: number;
}

export interface SpawnOptions {
  /** False: Configure is the rule's own business. */
  readonly configure?: boolean;
  /** Laid over the environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** One process of the plugin. */
export interface Plugin {
  readonly pid: number;
  /** LIMPET_PLUGIN_INSTANCE, which Info has to echo. */
  readonly instance: string;
  readonly handshake: Handshake;
  /** Typed calls over the first connection; after `cut`, over a new one. */
  readonly calls: Calls;
  readonly isAlive: boolean;
  /** How it ended: `code 0`, `SIGTERM`; undefined while it lives. */
  readonly end: string | undefined;
  /** From the spawn to the handshake. */
  readonly readyMs: number;
  /** Holds what it has written to stdout. */
  readonly outFile: string;
  /** What it has written to stdout, its first 4 KiB. */
  stdout(): string;
  /** What it has written to stderr, its last 4 KiB. */
  stderr(): string;
  /** A further client, with a connection of its own, closed by the bench at the latest. */
  connect(): { readonly calls: Calls; readonly connection: Connection };
  /** Breaks the first connection with all calls on it, as the death of the host does; `calls` then makes a new one. */
  cut(): void;
  /** Hands over config and folders, as at its spawn. */
  configure(config?: unknown): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL; resolves when the process is gone. Its runs go on, if they are held. */
  kill9(): Promise<void>;
  /** Controller.Shutdown, whose answer may be cut off by its end; does not wait for the end. Throws for other errors. */
  askToEnd(): Promise<void>;
  /** Resolves when the process is gone; throws a Violation after `withinMs`. */
  gone(withinMs: number): Promise<void>;
}

export interface BenchFolders {
  /** All that is below is deleted at the end. */
  readonly root: string;
  readonly runs: string;
  readonly logs: string;
  readonly state: string;
  readonly sockets: string;
}

/** What a rule has in its hands: a plugin on folders of its own. Its functions may be taken out of it. */
export interface Bench {
  /** The first process: spawned, connected, configured. */
  readonly plugin: Plugin;
  /** As Info told after Configure. */
  readonly capabilities: Capabilities;
  readonly samples: Samples;
  readonly folders: BenchFolders;
  /** The plugin's section of the config. */
  readonly config: unknown;
  /** Fires when the time of the rule is up. */
  readonly signal: AbortSignal;
  /** --slow was given. */
  readonly slow: boolean;
  /** A further process on the same folders: after a kill the next one, before it a second instance. */
  readonly spawn: (options?: SpawnOptions) => Promise<Plugin>;
  /** The same, before its handshake: nothing is expected of it yet. */
  readonly launch: (env?: SpawnOptions['env']) => Plugin;
  /** A spec with a fresh execution id and the params of the sample. */
  readonly spec: (sample: SampleName, changes?: SpecChanges) => Spec;
  /** Live processes that belong to this bench: plugins, holders, work. Found by environment, arguments and working folder. */
  readonly processes: () => readonly { readonly pid: number; readonly command: string }[];
}
