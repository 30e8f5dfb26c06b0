/** What the executor needs of a Docker engine, and no more. Errors are those of `engine-call.ts`. */
import { z } from 'zod';
import { EngineCalls } from './engine-call.ts';
import { orMissing } from './engine-error.ts';
import type { CreateOptions } from './create-options.ts';
import type { Labels } from './labels.ts';
import { fileSize } from './log-file.ts';

const logConfigSchema = z.object({
  Type: z.string().default(''),
  Config: z.record(z.string(), z.string()).nullish(),
});

const inspectSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  State: z.object({
    Status: z.string(),
    ExitCode: z.number(),
    OOMKilled: z.boolean().default(false),
    Error: z.string().default(''),
    StartedAt: z.string(),
    FinishedAt: z.string(),
  }),
  Config: z.object({
    Labels: z.record(z.string(), z.string()).nullish(),
    StopSignal: z.string().optional(),
    Image: z.string().default(''),
  }),
  HostConfig: z
    .object({ Init: z.boolean().nullish(), LogConfig: logConfigSchema.nullish() })
    .default({}),
});

const topSchema = z.object({
  Titles: z.array(z.string()),
  Processes: z.array(z.array(z.string())).nullish(),
});

const listSchema = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()),
    State: z.string(),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
);

const infoSchema = z.object({
  ServerVersion: z.string().default(''),
  CgroupVersion: z.string().default(''),
  CgroupDriver: z.string().default(''),
  Driver: z.string().default(''),
  LiveRestoreEnabled: z.boolean().default(false),
});

export type EngineInfo = z.infer<typeof infoSchema>;

export interface Container {
  readonly id: string;
  readonly name: string;
  readonly labels: Labels;
  /** The engine's word: created, running, paused, restarting, removing, exited, dead. */
  readonly status: string;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Why the engine could not start it; '' when it could. */
  readonly error: string;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** Of the image or the create; undefined is SIGTERM. */
  readonly stopSignal: string | undefined;
  readonly image: string;
  /** The engine's own init is its pid 1. */
  readonly hasInit: boolean;
  /** Bytes at which its engine begins a new log file; undefined when it does not, or another driver keeps the log. */
  readonly logFileBytes: number | undefined;
}

export type ContainerSummary = Pick<Container, 'id' | 'name' | 'labels' | 'status'>;

/** The engine writes year 1 for "never". */
function timeOf(text: string): number | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}

function logFileBytes(config: z.infer<typeof logConfigSchema> | null | undefined) {
  return config?.Type === 'json-file' ? fileSize(config.Config?.['max-size'] ?? '') : undefined;
}

function segment(text: string): string {
  return encodeURIComponent(text);
}

export class Engine {
  readonly calls: EngineCalls;

  constructor(calls: EngineCalls) {
    this.calls = calls;
  }

  async ping(): Promise<void> {
    await this.calls.json({ what: 'ping', path: '/_ping', timeoutMs: 5_000 });
  }

  async info(): Promise<EngineInfo> {
    return infoSchema.parse(await this.calls.json({ what: 'engine info', path: '/info' }));
  }

  /** By id or name; undefined when there is none. */
  async inspect(container: string): Promise<Container | undefined> {
    const answer = await orMissing(
      this.calls.json({
        what: `inspect container ${container}`,
        path: `/containers/${segment(container)}/json`,
      }),
    );
    if (answer === undefined) return undefined;
    const { Id, Name, State, Config, HostConfig } = inspectSchema.parse(answer);
    return {
      id: Id,
      name: Name.replace(/^\//, ''),
      labels: Config.Labels ?? {},
      status: State.Status,
      exitCode: State.ExitCode,
      oomKilled: State.OOMKilled,
      error: State.Error,
      startedAt: timeOf(State.StartedAt),
      finishedAt: timeOf(State.FinishedAt),
      stopSignal: Config.StopSignal,
      image: Config.Image,
      hasInit: HostConfig.Init ?? false,
      logFileBytes: logFileBytes(HostConfig.LogConfig),
    };
  }

  /** The command lines of what runs in it, oldest first. `conflict`: it is not running. */
  async commands(id: string): Promise<readonly string[]> {
    const answer = await this.calls.json({
      what: `processes of container ${id.slice(0, 12)}`,
      path: `/containers/${segment(id)}/top`,
      timeoutMs: 5_000,
    });
    const { Titles, Processes } = topSchema.parse(answer);
    const column = Titles.findIndex((title) => ['CMD', 'COMMAND'].includes(title));
    return (Processes ?? []).map((row) => row[column] ?? '');
  }

  /** All containers, stopped ones too, with this label. */
  async list(label: string): Promise<readonly ContainerSummary[]> {
    const answer = await this.calls.json({
      what: 'list containers',
      path: '/containers/json',
      query: { all: true, filters: { label: [label] } },
      timeoutMs: 30_000,
    });
    return listSchema.parse(answer).map((c) => ({
      id: c.Id,
      name: (c.Names[0] ?? '').replace(/^\//, ''),
      labels: c.Labels ?? {},
      status: c.State,
    }));
  }

  /** The new container's id. `conflict`: the name is taken; `not-found`: no such image. */
  async create(name: string, options: CreateOptions): Promise<string> {
    const answer = await this.calls.json({
      what: `create container ${name}`,
      method: 'POST',
      path: '/containers/create',
      query: { name },
      body: options,
      timeoutMs: 60_000,
    });
    return z.object({ Id: z.string() }).parse(answer).Id;
  }

  async start(id: string): Promise<void> {
    await this.#order(id, 'start', 120_000);
  }

  /** `conflict`: it is not running. */
  async kill(id: string, signal: string): Promise<void> {
    await this.#order(id, 'kill', 30_000, { signal });
  }

  /** By force, with its anonymous volumes; `conflict`: it is being removed already. */
  async remove(id: string): Promise<void> {
    await orMissing(
      this.calls.json({
        what: `remove container ${id}`,
        method: 'DELETE',
        path: `/containers/${segment(id)}`,
        query: { force: true, v: true },
        timeoutMs: 60_000,
      }),
    );
  }

  /** Labels of a volume; undefined when there is none. */
  async volumeLabels(name: string): Promise<Labels | undefined> {
    const answer = await orMissing(
      this.calls.json({ what: `inspect volume ${name}`, path: `/volumes/${segment(name)}` }),
    );
    if (answer === undefined) return undefined;
    const schema = z.object({ Labels: z.record(z.string(), z.string()).nullish() });
    return schema.parse(answer).Labels ?? {};
  }

  async removeVolume(name: string): Promise<void> {
    await orMissing(
      this.calls.json({
        what: `remove volume ${name}`,
        method: 'DELETE',
        path: `/volumes/${segment(name)}`,
        timeoutMs: 30_000,
      }),
    );
  }

  /** Makes the volume unless there is one of that name, which is then left as it is. */
  async createVolume(name: string, labels: Labels): Promise<void> {
    await this.calls.json({
      what: `create volume ${name}`,
      method: 'POST',
      path: '/volumes/create',
      body: { Name: name, Labels: labels },
      timeoutMs: 30_000,
    });
  }

  async #order(id: string, verb: string, timeoutMs: number, query = {}): Promise<void> {
    await this.calls.json({
      what: `${verb} container ${id.slice(0, 12)}`,
      method: 'POST',
      path: `/containers/${segment(id)}/${verb}`,
      query,
      timeoutMs,
    });
  }
}

/** Loads the driver package on first use: it is large. `host` is `unix://` and an absolute path. */
export async function openEngine(host: string): Promise<Engine> {
  const { default: Docker } = await import('dockerode');
  // Every option that DOCKER_HOST could set is given here, so that the environment decides nothing.
  const docker = new Docker({
    socketPath: host.slice('unix://'.length),
    host: undefined,
    port: undefined,
    protocol: 'http',
  });
  return new Engine(new EngineCalls(docker, host));
}
