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

/** What an operator has written down before. Every runner is a run then, and none comes and goes. */
const CONFIG: JsonObject = {
  dataDir: '/var/lib/limpet/agent',
  executors: { docker: { enabled: false }, wasm: { config: { warm: 0 } } },
};

/** A debugger that says one thing and leaves. */
const EVALUATE = `
const [address, expression] = process.argv.slice(1);
const [{ webSocketDebuggerUrl }] = await (await fetch(address + '/json/list')).json();
const socket = new WebSocket(webSocketDebuggerUrl);
socket.onopen = () => {
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
  setTimeout(() => process.exit(), 200);
};`;

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
  readonly #config: JsonObject;

  /** `config` is laid over the agent's. */
  constructor(machine: Machine, config: JsonObject = {}) {
    this.machine = machine;
    this.#config = { ...CONFIG, ...config };
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

  /** The commands of the installation walk-through, one after the other; `more` are options of the agent's. */
  async install(archive: string, more: readonly string[] = []): Promise<void> {
    this.#release = await this.unpack(archive);
    await this.machine.run(['mkdir', '-p', '/etc/limpet']);
    await this.machine.write('/etc/limpet/agent.config.json', JSON.stringify(this.#config));
    await this.installer('install', 'requester', '--nats');
    await this.machine.sh('limpet node token create > /root/join.token');
    const join = ['--join', BROKER_URL, '--token-file', '/root/join.token'];
    await this.installer('install', 'agent', ...join, ...more);
    await this.linked();
  }

  /** The command of the unpacked release: there is none in the PATH before an installation. */
  installer(...args: readonly string[]): Promise<string> {
    return this.machine.run([`${this.#release}/bin/limpet`, ...args]);
  }

  limpet(...args: readonly string[]): Promise<string> {
    return this.machine.run(['limpet', ...args]);
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

  /** Waits until systemd has started another one in its place, and that is linked. */
  async another(pid: number): Promise<AgentStatus> {
    await eventually(
      `another agent than ${pid}`,
      async () => ![0, pid].includes(await this.machine.mainPid(AGENT)),
      WAIT_MS,
    );
    return this.linked();
  }

  /** In the JavaScript of a running Node, by its inspector; does not wait for its end. */
  async evaluate(pid: number, expression: string): Promise<void> {
    await this.machine.run(['kill', '-USR1', String(pid)]);
    const node = ['node', '--experimental-websocket', '--input-type=module', '-e', EVALUATE];
    const args = ['http://127.0.0.1:9229', expression];
    await eventually('the inspector', () => this.machine.run([...node, ...args]).then(() => true));
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

  /** Waits until the job has ended. */
  ended(job: string): Promise<{ readonly state: string; readonly message: string }> {
    return eventually(
      `the end of ${job}`,
      async () => {
        const now = await this.jobState(job);
        if (/Completed|Failed|Stopped/.test(now.state)) return now;
        throw new Error(JSON.stringify(now));
      },
      WAIT_MS,
    );
  }

  /** Waits until the job runs, in this run or a later one. */
  running(job: string, run = 0): Promise<AgentStatus['executions'][number]> {
    return eventually(
      `run ${run} of ${job}`,
      async () => {
        const { executions } = await this.status();
        return executions.find((one) => {
          return one.jobId === job && one.state === 'running' && one.run >= run;
        });
      },
      WAIT_MS,
    );
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
    const all = await this.machine.run(['ps', '-ww', '-e', '-o', 'pid=,unit=,args=']);
    const own = all
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([pid, unit, ...args]) => unit === AGENT && Number(pid) !== main && isLasting(args));
    const ticks = await this.#startTicks(own.map(([pid = '']) => pid));
    return own.flatMap(([pid = '', , ...args]) => {
      const started = ticks.get(pid);
      return started === undefined ? [] : [[pid, started, ...args].join(' ')];
    });
  }

  /** By pid, of those that are still there; what `ps` makes of it by the clock is not the same each time. */
  async #startTicks(pids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const files = pids.map((pid) => `/proc/${pid}/stat`).join(' ');
    const all = await this.machine.run(['sh', '-c', `cat ${files} /dev/null 2>/dev/null; true`]);
    const rows = all.split('\n').filter((line) => line !== '');
    return new Map(rows.map((row) => [row.split(' ', 1)[0] ?? '', startOf(row)]));
  }
}

/** Field 22, the 20th behind the name. */
function startOf(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function isLasting(words: readonly string[]): boolean {
  return !/(^| )(systemd-notify|sleep)( |$)/.test(words.join(' '));
}
