/** A machine on which requester, broker and agent are installed from the release, as an operator installs them. */
import { basename } from 'node:path';
import { z } from 'zod';
import { eventually } from '../eventually.ts';
import type { JsonObject } from '../test-agent.ts';
import type { Machine } from './machine.ts';

export const AGENT = 'limpet-agent.service';
export const REQUESTER = 'limpet-requester.service';
const BROKER_URL = 'nats://127.0.0.1:4222';
const WAIT_MS = 60_000;

const statusSchema = z.looseObject({
  version: z.string(),
  pid: z.number(),
  startedAt: z.number(),
  readyMs: z.number().optional(),
  degraded: z.array(z.string()),
  link: z.looseObject({ state: z.string() }),
  executors: z.array(
    z.looseObject({
      name: z.string(),
      health: z.string(),
      pid: z.number().optional(),
      reattached: z.boolean().optional(),
    }),
  ),
  executions: z.array(
    z.looseObject({ id: z.string(), jobId: z.string(), state: z.string(), run: z.number() }),
  ),
});
export type AgentStatus = z.infer<typeof statusSchema>;

const describedSchema = z.looseObject({
  Job: z.looseObject({ State: z.looseObject({ StateType: z.string(), Message: z.string() }) }),
});

export class Host {
  readonly machine: Machine;
  /** Folder of the unpacked release, inside. */
  #release = '';
  #jobs = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get skip(): false | string {
    return this.machine.skip;
  }

  /** Answers the folder of the release inside. */
  async unpack(archive: string): Promise<string> {
    await this.machine.copyIn(archive, '/root');
    await this.machine.run(['tar', '-C', '/root', '-xzf', `/root/${basename(archive)}`]);
    return `/root/${basename(archive, '.tar.gz')}`;
  }

  /** The commands of the installation walk-through, one after the other. */
  async install(archive: string): Promise<void> {
    this.#release = await this.unpack(archive);
    await this.installer('install', 'requester', '--nats');
    const token = await this.joinToken();
    await this.installer('install', 'agent', '--join', BROKER_URL, '--token', token, '--process');
    await this.linked();
  }

  /** The command of the unpacked release: there is none in the PATH before an installation. */
  installer(...args: readonly string[]): Promise<string> {
    return this.machine.run([`${this.#release}/bin/limpet`, ...args]);
  }

  limpet(...args: readonly string[]): Promise<string> {
    return this.machine.run(['limpet', ...args]);
  }

  async joinToken(): Promise<string> {
    const said = await this.limpet('node', 'token', 'create', '--ttl', '1h', '--uses', '1');
    return said.trim().split('\n').at(-1) ?? '';
  }

  /** What the agent says of itself. */
  async status(): Promise<AgentStatus> {
    return statusSchema.parse(JSON.parse(await this.limpet('agent', 'status', '-o', 'json')));
  }

  /** Waits until the agent is ready, linked, and has executors that are well; answers its status. */
  linked(): Promise<AgentStatus> {
    return eventually(
      'the agent to be linked',
      async () => {
        const status = await this.status();
        const healthy = status.executors.every(({ health }) => health === 'healthy');
        if (status.link.state === 'linked' && healthy && status.readyMs !== undefined)
          return status;
        throw new Error(JSON.stringify(status));
      },
      WAIT_MS,
    );
  }

  /** Answers the id of the job. */
  async submit(job: JsonObject): Promise<string> {
    const file = `/root/job-${(this.#jobs += 1)}.json`;
    await this.machine.write(file, JSON.stringify(job));
    return (await this.limpet('job', 'run', '--id-only', file)).trim();
  }

  async jobState(job: string): Promise<{ readonly state: string; readonly message: string }> {
    const text = await this.limpet('job', 'describe', '-o', 'json', job);
    const { State } = describedSchema.parse(JSON.parse(text)).Job;
    return { state: State.StateType, message: State.Message };
  }

  output(job: string): Promise<string> {
    return this.limpet('job', 'logs', job);
  }

  /** Waits until the job has written so many lines; answers its output. */
  lines(job: string, count: number): Promise<string> {
    return eventually(
      `${count} lines of ${job}`,
      async () => {
        const text = await this.output(job);
        if (text.split('\n').length > count) return text;
        throw new Error(text.slice(-200));
      },
      WAIT_MS,
    );
  }

  /**
   * Plugins and runs, each as `PID STARTED COMMAND`: every process of the agent's unit but the agent, and but what lives for
   * an instant.
   */
  async work(): Promise<string[]> {
    const main = await this.machine.mainPid(AGENT);
    const all = await this.machine.run(['ps', '-ww', '-e', '-o', 'pid=,unit=,lstart=,args=']);
    return all
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([pid, unit, ...rest]) => unit === AGENT && Number(pid) !== main && isLasting(rest))
      .map(([pid, , ...rest]) => [pid, ...rest].join(' '));
  }
}

function isLasting(words: readonly string[]): boolean {
  return !/(^| )(systemd-notify|sleep)( |$)/.test(words.slice(5).join(' '));
}
