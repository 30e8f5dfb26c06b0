/** The requester as a program on a data folder of its own, and its API. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { eventually } from '../../kit/eventually.ts';
import { startDist, type Program } from '../../kit/program.ts';
import type { Teardown } from '../../kit/teardown.ts';
import { programDir } from '../../kit/program-dir.ts';

const endpointSchema = z.object({ url: z.string(), pid: z.number() });

export interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly text: string;
}

export class RequesterProgram {
  readonly folder: string;
  readonly #t: Teardown;
  readonly #config: string;
  #program: Program | undefined;
  #url = '';

  constructor(t: Teardown, natsUrl: string, config: Readonly<Record<string, unknown>> = {}) {
    this.#t = t;
    this.folder = programDir(t);
    this.#config = join(this.folder, 'config.json');
    const nodes = { heartbeatIntervalMs: 200, unknownAfterMs: 1_500, unhealthyAfterMs: 60_000 };
    const scheduling = { declineBackoffMs: 30_000 };
    const all = { http: { port: 0 }, nats: { servers: [natsUrl] }, nodes, scheduling, ...config };
    writeFileSync(this.#config, JSON.stringify(all));
  }

  get program(): Program {
    if (this.#program === undefined) throw new Error('the requester was not started');
    return this.#program;
  }

  get url(): string {
    return this.#url;
  }

  get token(): string {
    return readFileSync(join(this.folder, 'token'), 'utf8').trim();
  }

  launch(env: Readonly<Record<string, string>> = {}): Promise<Program> {
    const args = ['--config', this.#config, '--data', this.folder];
    return startDist(this.#t, 'requester', { args, env: { LIMPET_LOG: 'json', ...env } });
  }

  /** Resolves when the API answers, or when the program has ended before. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const program = await this.launch(env);
    this.#program = program;
    await eventually(
      'the requester to be ready',
      () => program.exit !== undefined || this.#readEndpoint(program.pid),
      20_000,
    );
  }

  #readEndpoint(pid: number): boolean {
    const endpoint = endpointSchema.parse(
      JSON.parse(readFileSync(join(this.folder, 'endpoint.json'), 'utf8')),
    );
    this.#url = endpoint.url;
    return endpoint.pid === pid;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    const response = await fetch(`${this.#url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        'content-type': 'application/json',
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    return { status: response.status, text, body: JSON.parse(text) };
  }

  submit(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<Reply> {
    const Tasks = [{ Name: 'main', Engine: { Type: 'wasm', Params: { EntryModule: 'm.wasm' } } }];
    return this.call('PUT', '/orchestrator/jobs', {
      Job: { Name: name, Type: 'batch', Tasks, ...more },
    });
  }

  async job(name: string): Promise<JobView> {
    const { body } = await this.call(
      'GET',
      `/orchestrator/jobs/${name}?include=executions,history`,
    );
    return jobViewSchema.parse(body);
  }

  /** Waits until the job is in this state. */
  jobIs(name: string, state: string, deadlineMs = 15_000): Promise<JobView> {
    let last: JobView | undefined;
    return eventually(
      `job ${name} to be ${state}`,
      async () => {
        last = await this.job(name);
        return last.Job.State.StateType === state ? last : undefined;
      },
      deadlineMs,
    ).catch((error: unknown) => {
      throw new Error(`job ${name} is not ${state}: ${JSON.stringify(last)}`, { cause: error });
    });
  }
}

const jobViewSchema = z.object({
  Job: z.object({
    ID: z.string(),
    State: z.object({ StateType: z.string(), Message: z.string().default('') }),
  }),
  Executions: z.object({
    Items: z.array(
      z.object({
        ID: z.string(),
        NodeID: z.string(),
        DesiredState: z.object({ StateType: z.number() }),
        ComputeState: z.object({ StateType: z.number(), Message: z.string().default('') }),
        RunOutput: z.object({ Stdout: z.string(), ExitCode: z.number() }),
      }),
    ),
  }),
  History: z.object({
    Items: z.array(
      z.object({ SeqNum: z.number(), Event: z.object({ Message: z.string(), Topic: z.string() }) }),
    ),
  }),
});
export type JobView = z.infer<typeof jobViewSchema>;
