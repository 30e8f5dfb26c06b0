/**
 * Warm runners. While the pool is open it keeps `warm` idle ones and refills in the background; a runner comes back after a
 * clean end and goes to the next taker of the same owner (reuse.ts tells when, and what that means for its identity).
 * Idle runners outlive a restart of the plugin for a while and are adopted by their sockets.
 *
 *   take   an idle one, else wait for the first that comes back or is started
 *   start  as many as are wanted, a few at a time; none while runners come back sooner than one could be started: a process
 *          costs as much as twenty short runs
 *   idle above `warm`  retired after some seconds
 */
import fs from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { LimpetError, messageOf, type PluginLog } from '../../plugins/sdk/index.ts';
import { RunnerClient } from './client.ts';
import { RUNNER_SOCKET, spawnRunner, type SpawnOptions } from './spawn.ts';

/** Wait before the next attempt after a failed spawn. */
const RETRY_MS = 2_000;
/** A run that was just given away comes first; starting the next runner takes a processor for a while. */
const REFILL_MS = 50;
/** How long starting one is taken to last before the first was started. */
const START_MS = 100;
const SPARE_MS = 5_000;
const MOST_STARTING = Math.max(2, availableParallelism());

export interface PoolOptions extends SpawnOptions {
  readonly warm: number;
  readonly log: PluginLog;
}

interface Taker {
  readonly owner: string;
  readonly resolve: (client: RunnerClient) => void;
  readonly reject: (error: LimpetError) => void;
}

export class RunnerPool {
  readonly #options: PoolOptions;
  /** The one that was used last stands at the end and is taken first. */
  #idle: RunnerClient[] = [];
  readonly #filling = new Set<Promise<void>>();
  #waiting: Taker[] = [];
  /** The one that came back last, and when. */
  #back: { readonly client: RunnerClient; readonly at: number } | undefined;
  #startMs = START_MS;
  #refill: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #trim: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Warm runners ready to be taken. */
  get idle(): number {
    return this.#idle.length;
  }

  /** A warm runner listens there. */
  has(socketPath: string): boolean {
    return this.#idle.some((client) => client.socketPath === socketPath);
  }

  /** Adopts idle runners that are alive, removes sockets of dead ones, and begins to fill. */
  async open(): Promise<void> {
    const names = await fs.readdir(this.#options.socketsDir);
    await Promise.all(
      names.filter((name) => RUNNER_SOCKET.test(name)).map((name) => this.#adopt(name)),
    );
    this.#fill();
  }

  /** A connected idle runner. Errors: `unavailable`, `plugin-failed`. */
  take(owner: string): Promise<RunnerClient> {
    if (this.#closed) return Promise.reject(new LimpetError('unavailable', 'the plugin is ending'));
    const warm = this.#idle.findLast((client) => client.isFor(owner));
    if (warm !== undefined) {
      this.#idle = this.#idle.filter((client) => client !== warm);
      // Behind the caller's assignment: starting a process takes a while.
      this.#fillLater(REFILL_MS);
      return Promise.resolve(warm);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ owner, resolve, reject });
      this.#fill();
    });
  }

  /** A runner is free again after a clean end. */
  give(client: RunnerClient): void {
    this.#back = { client, at: performance.now() };
    if (!this.#place(client)) this.#idle.push(client);
    this.#trimLater();
  }

  /** Ends idle runners; runners with a run are not known here any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of [this.#refill, this.#retry, this.#trim]) clearTimeout(timer);
    for (const client of this.#idle.splice(0)) retire(client);
    await Promise.all(this.#filling);
    this.#fail(new LimpetError('unavailable', 'the plugin is ending'));
  }

  async #adopt(name: string): Promise<void> {
    const socketPath = path.join(this.#options.socketsDir, name);
    try {
      const client = await RunnerClient.connect(socketPath);
      if (client.hello.holds !== null) return client.close();
      if (this.#idle.length >= this.#options.warm) return retire(client);
      this.#welcome(client);
    } catch (thrown) {
      const gone = thrown instanceof LimpetError && thrown.code === 'unavailable';
      if (gone) await fs.rm(socketPath, { force: true });
    }
  }

  #welcome(client: RunnerClient): void {
    void client.closed.then(() => {
      const at = this.#idle.indexOf(client);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      this.#fill();
    });
    if (!this.#place(client)) this.#idle.unshift(client);
    this.#trimLater();
  }

  /** Gives it to who waits for it; false when it is for nobody now. */
  #place(client: RunnerClient): boolean {
    if (this.#closed) {
      retire(client);
      return true;
    }
    const taker = this.#waiting.find(({ owner }) => client.isFor(owner));
    if (taker === undefined) return false;
    this.#waiting = this.#waiting.filter((one) => one !== taker);
    taker.resolve(client);
    return true;
  }

  #trimLater(): void {
    const { warm } = this.#options;
    const spare = this.#idle.length - warm;
    if (spare <= 0) return;
    if (warm === 0) return this.#retireSpare();
    this.#trim ??= setTimeout(() => {
      this.#trim = undefined;
      this.#retireSpare();
    }, SPARE_MS);
  }

  #retireSpare(): void {
    const spare = Math.max(0, this.#idle.length - this.#options.warm);
    for (const client of this.#idle.splice(0, spare)) retire(client);
  }

  #fillLater(delayMs: number): void {
    this.#refill ??= setTimeout(() => {
      this.#refill = undefined;
      this.#fill();
    }, delayMs);
  }

  #fill(): void {
    if (this.#closed || this.#retry !== undefined) return;
    const { warm } = this.#options;
    // Nobody waits for one that is idle: those who wait are of other owners.
    const wanted = this.#waiting.length + Math.max(0, warm - this.#idle.length);
    if (wanted <= this.#filling.size) return;
    const patienceMs = this.#patienceMs();
    if (patienceMs > 0) return this.#fillLater(patienceMs);
    while (this.#filling.size < Math.min(wanted, MOST_STARTING)) {
      const filling = this.#spawnOne().finally(() => {
        this.#filling.delete(filling);
        this.#fill();
      });
      this.#filling.add(filling);
    }
  }

  /** How long those who wait may hope for a runner that comes back; not at all when these are of another owner. */
  #patienceMs(): number {
    const back = this.#back;
    if (back === undefined || !this.#waiting.every(({ owner }) => back.client.isFor(owner)))
      return 0;
    return this.#startMs - (performance.now() - back.at);
  }

  async #spawnOne(): Promise<void> {
    const began = performance.now();
    try {
      const client = await spawnRunner(this.#options);
      this.#startMs = performance.now() - began;
      this.#welcome(client);
    } catch (thrown) {
      this.#options.log.warn('wasm.runner-failed', { reason: messageOf(thrown) });
      this.#fail(LimpetError.from(thrown, 'plugin-failed'));
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#fill();
      }, RETRY_MS);
    }
  }

  #fail(error: LimpetError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

function retire(client: RunnerClient): void {
  client.send({ type: 'retire' });
}
