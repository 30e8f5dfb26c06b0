/** What the plugin host is given, and its times. */
import type { SchemaChecks } from '../../adapters/schemas/schema-check.ts';
import type { Clock, Random } from '../../adapters/clock/port.ts';
import type { Faults } from '../../adapters/faults/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Processes } from '../../adapters/processes/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import type { Backoff } from '../../core/backoff.ts';
import type { PluginSpec } from './port.ts';
import type { ToldSchemas } from './schemas.ts';

/** Absolute folders, handed to every plugin by Configure. */
export interface ConfigureFacts {
  readonly nodeId: string;
  /** Of the agent's data folder. */
  readonly instanceId: string;
  readonly runsDir: string;
  readonly logsDir: string;
  /** Each plugin gets a folder of its own name in it; its stderr goes to `<name>.log` beside that. */
  readonly stateDir: string;
  readonly socketsDir: string;
}

export interface PluginDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly processes: Processes;
  readonly log: Logger;
  readonly faults: Faults;
  readonly random: Random;
  /** Short, 0700; every plugin process gets a folder in it. */
  readonly runDir: string;
  readonly configureFacts: ConfigureFacts;
  /** The agent's own environment, of which plugins see PATH, HOME, LANG, TZ and what their spec names. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly timings: PluginTimings;
  /** Where people see them. */
  readonly schemas?: Pick<ToldSchemas, 'learn'>;
  /** By which configs are judged; each plugin has its own when missing. */
  readonly checks?: SchemaChecks;
}

export interface PluginHostOptions extends Omit<PluginDeps, 'env' | 'timings'> {
  /** Of the config, built-in ones too. A function is asked at every look. */
  readonly specs: readonly PluginSpec[] | (() => readonly PluginSpec[]);
  /** The folder of plugins; none when it is missing or answers undefined. */
  readonly folder?: () => string | undefined;
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** A function is asked whenever one of them is needed. */
  readonly timings?: Partial<PluginTimings> | (() => Partial<PluginTimings>);
}

export interface PluginTimings {
  /** From the spawn to the handshake line. */
  readonly startMs: number;
  /** Between two looks at the handshake file. */
  readonly handshakePollMs: number;
  /** Between two health checks. */
  readonly healthEveryMs: number;
  /** One health check; a plugin that misses it is slow. */
  readonly slowMs: number;
  /** Without any answer for this long it is dead. */
  readonly deadMs: number;
  /** A plugin tells its health every 30 s; one that does not for this long hangs, whatever its health checks say. */
  readonly quietMs: number;
  readonly restart: Backoff;
  /** Ready for this long, the back-off begins anew. */
  readonly steadyMs: number;
  /** An orderly exit, and the time between TERM and KILL. */
  readonly exitMs: number;
  /** Between two tries to open a stream again. */
  readonly streamRetry: Backoff;
  readonly calls: CallDeadlines;
  /** The plugin's stderr file is cut to its newest part above this. */
  readonly logLimitBytes: number;
}

/** How long each call may take. */
export interface CallDeadlines {
  readonly quickMs: number;
  readonly configureMs: number;
  readonly listMs: number;
  readonly startMs: number;
  readonly removeMs: number;
  readonly prepareMs: number;
}

export const DEFAULT_TIMINGS: PluginTimings = {
  startMs: 10_000,
  handshakePollMs: 5,
  healthEveryMs: 5_000,
  slowMs: 2_000,
  deadMs: 10_000,
  quietMs: 75_000,
  restart: { firstMs: 500, lastMs: 60_000 },
  steadyMs: 5 * 60_000,
  exitMs: 2_000,
  streamRetry: { firstMs: 100, lastMs: 5_000 },
  calls: {
    quickMs: 10_000,
    configureMs: 10_000,
    listMs: 30_000,
    startMs: 60_000,
    removeMs: 60_000,
    prepareMs: 60 * 60_000,
  },
  logLimitBytes: 8 * 1024 * 1024,
};
