/** An agent as a program on a data folder of its own: started, asked on its socket, killed, started again. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { askAgent } from '../../cli/agent-socket.ts';
import { Daemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { killProcessesOf } from './leftovers.ts';
import type { Program } from './program.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

const executorStatus = z.looseObject({
  name: z.string(),
  health: z.string(),
  reason: z.string(),
  pid: z.number().optional(),
  reattached: z.boolean().optional(),
  recovery: z.string(),
  adopted: z.number(),
});

const statusSchema = z.looseObject({
  pid: z.number(),
  nodeId: z.string(),
  degraded: z.array(z.string()),
  readyMs: z.number().optional(),
  allocated: z.looseObject({ cpuMillis: z.number() }),
  link: z.looseObject({ state: z.string(), detail: z.string() }),
  streams: z.number().optional(),
  executors: z.array(executorStatus),
  executions: z.array(
    z.looseObject({ id: z.string(), jobId: z.string(), state: z.string(), run: z.number() }),
  ),
  quarantined: z.array(z.string()),
  foreign: z.array(z.string()),
});
export type TestStatus = z.infer<typeof statusSchema>;

const historySchema = z.looseObject({
  events: z.array(
    z.looseObject({ revision: z.number(), from: z.string(), to: z.string(), cause: z.string() }),
  ),
});

const READY_MS = 30_000;
const KILL_ALL_MS = 30_000;

export class TestAgent {
  /** Its data folder. */
  readonly folder: string;
  readonly #daemon: Daemon;

  /** `config` is the whole agent config but dataDir; the folder is made here. */
  constructor(folder: string, config: JsonObject) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    const file = `${folder}.config.json`;
    writeFileSync(file, JSON.stringify({ ...config, dataDir: folder }, undefined, 2));
    this.#daemon = new Daemon('agent', {
      args: ['--config', file],
      env: { LIMPET_LOG: 'json', LIMPET_CRASH_AT: undefined },
    });
  }

  get program(): Program {
    return this.#daemon.program;
  }

  /** Of all its lives. */
  get log(): string {
    return this.#daemon.stderr;
  }

  /** Starts it and does not wait. */
  async launch(env: Readonly<Record<string, string>> = {}): Promise<Program> {
    rmSync(join(this.folder, 'agent.json'), { force: true });
    return this.#daemon.start(env);
  }

  /** Starts it and waits until it is linked, and all its executors are recovered and healthy. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<TestStatus> {
    await this.launch(env);
    return this.ready();
  }

  async ready(): Promise<TestStatus> {
    return eventually(
      'the agent to be ready',
      async () => {
        if (!this.#daemon.running)
          throw new Error(`it has ended: ${this.program.stderr.slice(-500)}`);
        const status = await this.status();
        const all = status.executors.every(
          (e) => e.health === 'healthy' && e.recovery === 'complete',
        );
        if (all && status.link.state === 'linked') return status;
        throw new Error(JSON.stringify({ link: status.link, executors: status.executors }));
      },
      READY_MS,
    );
  }

  async status(): Promise<TestStatus> {
    return statusSchema.parse(await askAgent(this.folder, 'GET', '/status'));
  }

  /** Waits until these lists of its status are empty. */
  async hasNo(...lists: readonly ('degraded' | 'executions' | 'foreign')[]): Promise<void> {
    await eventually(
      `an agent without ${lists.join(', ')}`,
      async () => {
        const status = await this.status();
        const left = lists.flatMap((list): readonly unknown[] => status[list]);
        if (left.length > 0) throw new Error(JSON.stringify(left));
        return true;
      },
      READY_MS,
    );
  }

  /** What this node itself recorded of an execution, in order. */
  async history(execution: string): Promise<z.infer<typeof historySchema>['events']> {
    return historySchema.parse(
      await askAgent(this.folder, 'GET', `/executions/${execution}/history`),
    ).events;
  }

  /** Pid of an executor plugin now. */
  async pluginPid(name: string): Promise<number> {
    const plugin = (await this.status()).executors.find((e) => e.name === name);
    if (plugin?.pid === undefined)
      throw new Error(`no plugin ${name} runs: ${JSON.stringify(plugin)}`);
    return plugin.pid;
  }

  /** `PID START_TIME BOOT` of what holds a run of the wasm or process executor; waits until it is there. */
  async claim(executor: string, execution: string, run = 0): Promise<string> {
    const file = join(this.folder, 'runs', executor, execution, String(run), 'claim');
    const first = (): string | undefined => readFileSync(file, 'utf8').trim().split('\n')[0];
    return eventually(`the claim of ${execution}`, first, 60_000);
  }

  /** Without SIGTERM's goodbye unless told otherwise. Runs and plugins go on. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#daemon.kill(signal);
  }

  /** POST /stop: everything of it ends. */
  async stopAll(): Promise<void> {
    await askAgent(this.folder, 'POST', '/stop', { mode: 'kill' });
    await eventually('the agent to end everything', () => !this.#daemon.running, KILL_ALL_MS);
  }

  /** Whatever state it is in: nothing of it is left afterwards. */
  async end(): Promise<void> {
    try {
      if (this.#daemon.running) await this.stopAll();
    } finally {
      await this.#daemon.kill();
      killProcessesOf(this.folder);
    }
  }
}
