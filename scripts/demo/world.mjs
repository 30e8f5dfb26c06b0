/**
 * A requester and a broker (`limpet dev --no-agent`) and an agent of our own, in a folder of its own. The agent is
 * started by the demo itself, so that the demo can kill it.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const limpet = join(root, 'bin/limpet');

export class World {
  #folder = mkdtempSync(join(tmpdir(), 'limpet-demo-'));
  #agentStarts = 0;
  #agentChild;
  #image = '';

  constructor(engineHost) {
    this.engineHost = engineHost;
  }

  static async open(engineHost, report) {
    const world = new World(engineHost);
    try {
      await world.#begin(report);
      return world;
    } catch (error) {
      await world.explain();
      await world.close();
      throw error;
    }
  }

  async #begin(report) {
    mkdirSync(this.textFolder);
    await this.#makeImage(report);
    const dev = await this.limpet(['dev', '--detach', '--no-agent']);
    if (dev.code !== 0) throw new Error(`limpet dev failed: ${dev.stderr}${dev.stdout}`);
    await this.startAgent();
    report.note(`executors: ${this.executors.join(', ')}`);
  }

  async #makeImage(report) {
    if (this.engineHost === undefined) return;
    try {
      // Packages are there only after set-up.
      const { importBusybox } = await import('../../fixtures/image/busybox.mjs');
      this.#image = await importBusybox(this.engineHost);
    } catch (error) {
      report.note(`Docker parts are left out: ${error.message}`);
      this.engineHost = undefined;
    }
  }

  get textFolder() {
    return join(this.#folder, 'text');
  }

  get agentFolder() {
    return join(this.#folder, 'agent');
  }

  get executors() {
    return ['wasm', ...(this.engineHost === undefined ? [] : ['docker']), 'process'];
  }

  /** An engine with the parameters that make it run `argv`; `inputs` are files that it may read. */
  engine(executor, program, argv) {
    if (executor === 'wasm')
      return {
        Type: executor,
        Params: { EntryModule: `/module/${program.wasm}.wasm`, Parameters: argv },
      };
    const command = [...program.argv, ...argv];
    if (executor === 'docker')
      return { Type: executor, Params: { Image: this.#image, Parameters: command } };
    // A process finds its inputs below its working folder.
    return {
      Type: executor,
      Params: { Command: command.map((a) => a.replace(/^\/input\//, 'input/')) },
    };
  }

  /** The input sources of a module, embedded. */
  module(name) {
    const bytes = readFileSync(join(root, 'dist/fixtures/wasm', `${name}.wasm`));
    const url = `data:application/wasm;base64,${bytes.toString('base64')}`;
    return { Source: { Type: 'inline', Params: { URL: url } }, Target: `/module/${name}.wasm` };
  }

  /** Writes a job file, as a person would, and answers its path. */
  jobFile(name, task) {
    const file = join(this.#folder, `${name}.json`);
    writeFileSync(
      file,
      JSON.stringify({ Name: name, Type: 'batch', Count: 1, Tasks: [{ Name: 'main', ...task }] }),
    );
    return file;
  }

  async submit(file) {
    const { code, stdout, stderr } = await this.limpet(['job', 'run', '--id-only', file]);
    if (code !== 0) throw new Error(`job run ${file}: ${stderr}`);
    return stdout.trim();
  }

  async execution(job) {
    return until(`an execution of ${job}`, 10_000, async () => {
      const { stdout } = await this.limpet(['job', 'executions', job, '--output', 'json']);
      return JSON.parse(stdout || '[]')[0]?.ID;
    });
  }

  /** Waits until the job is over: {state, exit code of `job run --wait` rules}. */
  async ended(job, timeoutMs) {
    return until(`${job} to end`, timeoutMs, async () => {
      const { stdout } = await this.limpet(['job', 'describe', job, '--output', 'json']);
      const state = JSON.parse(stdout).Job.State.StateType;
      return ['Completed', 'Failed', 'Stopped'].includes(state) ? state : undefined;
    });
  }

  limpet(args, env = {}) {
    const child = spawn(process.execPath, [limpet, ...args], {
      env: { ...process.env, LIMPET_DATA: this.#folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return collect(child);
  }

  get agentPid() {
    return this.#agentRecord().pid;
  }

  #agentRecord() {
    return JSON.parse(readFileSync(join(this.agentFolder, 'agent.json'), 'utf8'));
  }

  agentConfig() {
    const docker = { host: this.engineHost, pullPolicy: 'never' };
    const file = join(this.#folder, 'demo-agent.config.json');
    const { nats } = JSON.parse(readFileSync(join(this.#folder, 'agent.config.json'), 'utf8'));
    const config = {
      dataDir: this.agentFolder,
      name: 'demo',
      nats,
      executors: {
        docker:
          this.engineHost === undefined ? { enabled: false } : { enabled: true, config: docker },
        wasm: { enabled: true },
        process: { enabled: true },
      },
      capacity: { CPU: '16' },
      allowLocal: [{ path: this.textFolder }],
    };
    writeFileSync(file, JSON.stringify(config, null, 2));
    return file;
  }

  /** Starts the agent and waits until every executor is recovered; answers its status. */
  async startAgent() {
    this.#agentStarts += 1;
    rmSync(join(this.agentFolder, 'agent.json'), { force: true });
    const log = openSync(join(this.#folder, `agent-${this.#agentStarts}.log`), 'a');
    this.#agentChild = spawn(
      process.execPath,
      [join(root, 'dist/agent.js'), '--config', this.agentConfig()],
      {
        stdio: ['ignore', log, log],
      },
    );
    closeSync(log);
    return until('the agent to be ready', 30_000, async () => {
      const status = await this.agentStatus().catch(() => undefined);
      const ready = status?.readyMs !== undefined && status.link.state === 'linked';
      return ready && status.executors.every((e) => e.health === 'healthy') ? status : undefined;
    });
  }

  async agentStatus() {
    return getJson(this.#agentRecord().socket, '/status');
  }

  killAgent() {
    process.kill(this.agentPid, 'SIGKILL');
    rmSync(join(this.agentFolder, 'agent.json'), { force: true });
  }

  /** An orderly stop that leaves work alone. */
  async stopAgent() {
    if (this.#agentChild === undefined || this.#agentChild.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#agentChild.once('exit', resolve));
    this.#agentChild.kill('SIGTERM');
    await Promise.race([gone, delay(10_000)]);
  }

  /** What the programs said last, when something went wrong. */
  async explain() {
    for (const name of [`agent-${this.#agentStarts}.log`, 'dev.log']) {
      const file = join(this.#folder, name);
      if (!existsSync(file)) continue;
      console.error(`--- ${name}\n${readFileSync(file, 'utf8').split('\n').slice(-40).join('\n')}`);
    }
  }

  async close() {
    const { socket } = existsSync(join(this.agentFolder, 'agent.json')) ? this.#agentRecord() : {};
    if (socket !== undefined) {
      await getJson(socket, '/stop', { mode: 'kill' }).catch(() => undefined);
      await until(
        'the agent to end',
        30_000,
        () => this.#agentChild.exitCode !== null || undefined,
      ).catch((error) => {
        console.error(error.message);
        this.#agentChild.kill('SIGKILL');
      });
    }
    await this.limpet(['dev', '--stop']);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function until(what, timeoutMs, look) {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await delay(50);
  }
}

function getJson(socketPath, path, body) {
  return new Promise((resolve, reject) => {
    const options = {
      socketPath,
      path,
      method: body === undefined ? 'GET' : 'POST',
      timeout: 5_000,
    };
    const call = request(
      { ...options, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        response.on('end', () => resolve(JSON.parse(text)));
      },
    );
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function collect(child) {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
