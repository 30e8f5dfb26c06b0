/**
 * Broker, requester and agents as programs out of dist/, on one temporary data folder. Jobs go in over HTTP, or by the
 * CLI as people do it; anything is killed and started again at will; at teardown nothing is left.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ApiClient } from '../../cli/api/client.ts';
import { findEndpoint, readEndpointFile } from '../../cli/api/endpoint.ts';
import { logEndSchema } from '../../cli/api/events.ts';
import { executionPage, historyPage, jobReply, putJobReply } from '../../cli/api/models.ts';
import { Daemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { logEventSchema } from './log-events.ts';
import { freePort, natsServerPath, startNatsServer } from './nats-server.ts';
import { startDist, type Program } from './program.ts';
import { programDir } from './program-dir.ts';
import type { Teardown } from './teardown.ts';
import { TestAgent, type JsonObject } from './test-agent.ts';

export interface ClusterOptions {
  /** nats-server when the machine has it, unless told. */
  readonly broker?: 'nats-server' | 'embedded';
  /** Laid over the requester's config. */
  readonly requester?: JsonObject;
}

export interface Broker {
  readonly url: string;
  kill(): Promise<void>;
  /** On the same port. */
  restart(): Promise<void>;
}

const detailSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  run: z.number(),
  reason: z.string(),
  outcome: z
    .looseObject({ by: z.string(), code: z.number().optional(), reason: z.string() })
    .optional(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  events: z.array(
    z.looseObject({ revision: z.number(), from: z.string(), to: z.string(), cause: z.string() }),
  ),
});
export type Detail = z.infer<typeof detailSchema>;

/** A gap, or what came between two of them. */
export interface LogPart {
  readonly stream: 'stdout' | 'stderr' | 'gap';
  readonly text: string;
}

export interface JobNow {
  readonly state: string;
  readonly message: string;
}

const TERMINAL = ['Completed', 'Failed', 'Stopped'];

/** Starts broker and requester. */
export async function startCluster(t: Teardown, options: ClusterOptions = {}): Promise<Cluster> {
  const folder = programDir(t);
  const kind = options.broker ?? (natsServerPath() === undefined ? 'embedded' : 'nats-server');
  const broker = kind === 'embedded' ? await startEmbedded(t, folder) : await startNatsServer(t);
  const cluster = new Cluster(t, folder, broker, await freePort(), options);
  t.teardown(() => cluster.end());
  await cluster.startRequester();
  return cluster;
}

async function startEmbedded(t: Teardown, folder: string): Promise<Broker> {
  const port = String(await freePort());
  const daemon = new Daemon('dev-broker', { args: ['--port', port], cwd: folder });
  t.teardown(() => daemon.kill());
  const restart = async (): Promise<void> => {
    await daemon.kill();
    await (await daemon.start()).waitFor(/^listening /);
  };
  await restart();
  return { url: `nats://127.0.0.1:${port}`, kill: () => daemon.kill(), restart };
}

export class Cluster {
  readonly folder: string;
  readonly broker: Broker;
  readonly requester: Daemon;
  readonly #t: Teardown;
  readonly #agents: TestAgent[] = [];

  constructor(t: Teardown, folder: string, broker: Broker, port: number, options: ClusterOptions) {
    this.#t = t;
    this.folder = folder;
    this.broker = broker;
    const nodes = { heartbeatIntervalMs: 500, unknownAfterMs: 30_000, unhealthyAfterMs: 60_000 };
    const base = { http: { port }, nats: { servers: [broker.url] }, nodes, log: { level: 'warn' } };
    const config = join(folder, 'requester.config.json');
    writeFileSync(config, JSON.stringify({ ...base, ...options.requester }));
    const args = ['--config', config, '--data', this.requesterFolder];
    this.requester = new Daemon('requester', { args, env: { LIMPET_LOG: 'json' } });
  }

  get requesterFolder(): string {
    return join(this.folder, 'requester');
  }

  /** On the same port as before; waits until it answers. */
  async startRequester(): Promise<void> {
    const { pid } = await this.requester.start();
    await eventually(
      'the requester to answer',
      async () => {
        if (!this.requester.running)
          throw new Error(`it has ended: ${this.requester.stderr.slice(-500)}`);
        if (readEndpointFile(this.requesterFolder)?.pid !== pid) return false;
        return this.api.get('limpet/status', z.looseObject({}));
      },
      20_000,
    );
  }

  /** Not started yet; ended with the cluster. The wasm executor alone, unless `config` says otherwise. */
  addAgent(config: JsonObject = {}, name = 'agent'): TestAgent {
    const base = {
      name,
      nats: { servers: [this.broker.url] },
      capacity: { CPU: '16', Memory: '16Gi' },
      stopGraceMs: 1_000,
      executors: { docker: { enabled: false }, wasm: { config: { warm: 1, idleMs: 5_000 } } },
    };
    const agent = new TestAgent(join(this.folder, name), { ...base, ...config });
    this.#agents.push(agent);
    return agent;
  }

  /** Of the requester as it is now. */
  get api(): ApiClient {
    return new ApiClient(findEndpoint({ LIMPET_DATA: this.folder }));
  }

  /** The `limpet` command as a person in this data folder starts it. */
  limpet(...args: string[]): Promise<Program> {
    const env = { LIMPET_DATA: this.folder, LIMPET_API: undefined, LIMPET_TOKEN: undefined };
    return startDist(this.#t, 'limpet', { args, env, cwd: this.folder });
  }

  /** The same, to its end. */
  async ran(...args: string[]): Promise<Program> {
    const program = await this.limpet(...args);
    await program.waitForExit(60_000);
    return program;
  }

  /** Answers the id of the job. */
  async submit(job: JsonObject): Promise<string> {
    return (await this.api.call('PUT', 'orchestrator/jobs', putJobReply, { body: { Job: job } }))
      .JobID;
  }

  async stop(job: string): Promise<void> {
    await this.api.call('DELETE', `orchestrator/jobs/${job}`, z.looseObject({}));
  }

  async job(id: string): Promise<JobNow> {
    const { State } = (await this.api.get(`orchestrator/jobs/${id}`, jobReply)).Job;
    return { state: State.StateType, message: State.Message };
  }

  /** All executions of a job, oldest first. */
  async executions(job: string): Promise<Detail[]> {
    const { Items } = await this.api.get(`orchestrator/jobs/${job}/executions`, executionPage);
    return Promise.all(
      Items.map(({ ID }) => this.api.get(`limpet/executions/${ID}`, detailSchema)),
    );
  }

  /** The only execution of a job; waits until it is placed. */
  async execution(job: string): Promise<Detail> {
    return eventually(`an execution of ${job}`, async () => {
      const all = await this.executions(job);
      if (all.length > 1) throw new Error(`${all.length} executions: ${JSON.stringify(all)}`);
      return all[0];
    });
  }

  /** Waits until the only execution is `running` for the requester; answers its id. */
  async running(job: string): Promise<string> {
    return eventually(
      `${job} to run`,
      async () => {
        const { id, state, reason } = await this.execution(job);
        if (state !== 'running') throw new Error(`it is ${state} ${reason}`);
        return id;
      },
      20_000,
    );
  }

  /** Waits until the job is over. */
  async ended(job: string, deadlineMs = 30_000): Promise<JobNow> {
    return eventually(
      `${job} to end`,
      async () => {
        const now = await this.job(job);
        if (!TERMINAL.includes(now.state)) throw new Error(JSON.stringify(now));
        return now;
      },
      deadlineMs,
    ).catch(async (cause: unknown) => {
      const executions = JSON.stringify(await this.executions(job).catch(String));
      throw new Error(`${String(cause)}; its executions: ${executions}`, { cause });
    });
  }

  /** Waits until the only execution is over, which may be later than its job. */
  async endedExecution(job: string): Promise<Detail> {
    return eventually(
      `the execution of ${job} to end`,
      async () => {
        const execution = await this.execution(job);
        if (!['completed', 'failed', 'cancelled'].includes(execution.state))
          throw new Error(JSON.stringify(execution));
        return execution;
      },
      20_000,
    );
  }

  /** What the requester told about a job, `Topic: message` each. */
  async told(job: string): Promise<string[]> {
    const { Items } = await this.api.get(`orchestrator/jobs/${job}/history`, historyPage);
    return Items.map(({ Event }) => `${Event.Topic}: ${Event.Message}`);
  }

  /** The whole log as it is now, one stream, gaps included. Rejects when it ends for another reason than its end. */
  async log(job: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<string> {
    const parts = await this.logParts(job, stream);
    return parts
      .map((part) => (part.stream === 'gap' ? `[gap]\n${part.text}` : part.text))
      .join('');
  }

  /** The same, gaps apart. */
  async logParts(job: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<LogPart[]> {
    const parts: { readonly stream: LogPart['stream']; readonly bytes: Buffer[] }[] = [];
    for await (const { event, data } of this.api.events(`limpet/jobs/${job}/logs`, {
      query: { stream },
    })) {
      if (event === 'end') {
        const { code, message } = logEndSchema.parse(JSON.parse(data));
        if (code !== 'finished')
          throw new Error(`the log of ${job} ended with ${code}: ${message}`);
        break;
      }
      if (event !== 'message') continue;
      const log = logEventSchema.parse(JSON.parse(data));
      const last = parts.at(-1);
      const bytes = Buffer.from(log.data, 'base64');
      if (last?.stream === log.stream && log.stream !== 'gap') last.bytes.push(bytes);
      else parts.push({ stream: log.stream, bytes: [bytes] });
    }
    return parts.map((part) => ({
      stream: part.stream,
      text: Buffer.concat(part.bytes).toString('utf8'),
    }));
  }

  async end(): Promise<void> {
    try {
      await Promise.all(this.#agents.map((agent) => agent.end()));
    } finally {
      await this.requester.kill();
    }
  }
}
