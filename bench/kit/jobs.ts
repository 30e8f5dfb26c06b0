/** The requester's API as the bench uses it: raw HTTP on kept connections, nothing of the CLI in between. */
import { readFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isTerminalJobState, type JobState } from '../../core/job.ts';
import type { ExecutionDetail, WatchEvent } from '../../wire/http.ts';
import { LOG_FRAMES_TYPE } from '../../wire/log-frames.ts';

export interface Task {
  readonly Engine: { readonly Type: string; readonly Params: Readonly<Record<string, unknown>> };
  readonly InputSources?: readonly object[];
  readonly Resources?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly state: string;
  readonly message: string;
  readonly executions: WatchEvent['executions'];
}

const CALL_MS = 60_000;
const wasmFolder = fileURLToPath(new URL('../../dist/fixtures/wasm', import.meta.url));

export class Jobs {
  readonly #url: string;
  readonly #token: string;
  readonly #agent = new Agent({ keepAlive: true });
  #submitted = 0;

  /** `folder` is the requester's. */
  constructor(folder: string) {
    this.#url = JSON.parse(readFileSync(join(folder, 'endpoint.json'), 'utf8')).url;
    this.#token = readFileSync(join(folder, 'token'), 'utf8').trim();
  }

  /** From the submission to the news that the job has ended; throws unless it completed. Answers ms and executions. */
  async run(task: Task): Promise<{ readonly ms: number; readonly ended: Ended }> {
    const began = performance.now();
    const ended = await this.watch(await this.submit(task));
    const ms = performance.now() - began;
    if (ended.state !== 'Completed')
      throw new Error(`a job of the bench is ${ended.state}: ${ended.message}`);
    return { ms, ended };
  }

  /** A batch job of `Count` executions. */
  async submit(task: Task, Count = 1): Promise<string> {
    const Name = `bench-${(this.#submitted += 1)}`;
    const Job = { Name, Type: 'batch', Count, Tasks: [{ Name: 'main', ...task }] };
    const { JobID } = await this.#json('PUT', 'orchestrator/jobs', { Job });
    return String(JobID);
  }

  /** Follows the job's own event stream to its end. */
  async watch(job: string): Promise<Ended> {
    for await (const { job: seen, executions } of events(
      await this.#call('GET', `limpet/jobs/${job}/watch`),
    ))
      if (isTerminalJobState(seen.state as JobState)) return { ...seen, executions };
    throw new Error(`the requester closed the stream of job ${job}`);
  }

  /** The log from its beginning, as frames, until the work ends. */
  followLog(job: string): Promise<IncomingMessage> {
    const accept = LOG_FRAMES_TYPE;
    return this.#call('GET', `limpet/jobs/${job}/logs?follow=true`, undefined, { accept });
  }

  async stop(job: string): Promise<void> {
    await this.#json('DELETE', `orchestrator/jobs/${job}`, { reason: 'the bench is done' });
  }

  async executionOf(job: string): Promise<ExecutionDetail | undefined> {
    const { Items } = await this.#json('GET', `orchestrator/jobs/${job}/executions`);
    const id = Array.isArray(Items) ? Items[0]?.ID : undefined;
    return id === undefined ? undefined : this.execution(String(id));
  }

  async execution(id: string): Promise<ExecutionDetail> {
    return (await this.#json('GET', `limpet/executions/${id}`)) as unknown as ExecutionDetail;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #json(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await this.#call(method, path, body);
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += chunk;
    return JSON.parse(text) as Record<string, unknown>;
  }

  #call(
    method: string,
    path: string,
    body?: object,
    more: Readonly<Record<string, string>> = {},
  ): Promise<IncomingMessage> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      ...more,
      authorization: `Bearer ${this.#token}`,
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agent, signal: AbortSignal.timeout(CALL_MS) };
      const call = request(`${this.#url}/api/v1/${path}`, options, (answer) => {
        if (answer.statusCode === 200) return resolve(answer);
        answer.resume();
        return reject(new Error(`${method} ${path}: status ${answer.statusCode}`));
      });
      call.on('error', reject);
      call.end(text);
    });
  }
}

async function* events(answer: IncomingMessage): AsyncGenerator<WatchEvent> {
  let buffered = '';
  for await (const chunk of answer.setEncoding('utf8')) {
    const messages = (buffered + chunk).split('\n\n');
    buffered = messages.pop() ?? '';
    for (const message of messages)
      yield JSON.parse(message.replace(/^data: /gm, '')) as WatchEvent;
  }
}

/** A task that runs one of the modules of fixtures/wasm, embedded in the job. */
export function wasmTask(name: string, argv: readonly string[] = []): Task {
  const bytes = readFileSync(join(wasmFolder, `${name}.wasm`));
  const URL = `data:application/wasm;base64,${bytes.toString('base64')}`;
  const Target = `/module/${name}.wasm`;
  return {
    Engine: { Type: 'wasm', Params: { EntryModule: Target, Parameters: argv } },
    InputSources: [{ Source: { Type: 'inline', Params: { URL } }, Target }],
    Resources: { Memory: '64Mi', CPU: '100m' },
  };
}
