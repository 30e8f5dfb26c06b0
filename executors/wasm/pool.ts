/**
 * Warm runners. A runner is used once; while the pool is open it keeps `warm` idle ones and refills in the background.
 * Idle runners outlive a restart of the plugin for a while and are adopted by their sockets.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { LimpetError, messageOf, type PluginLog } from '../../plugins/sdk/index.ts';
import { RunnerClient } from './client.ts';
import { RUNNER_SOCKET, spawnRunner, type SpawnOptions } from './spawn.ts';

/** Wait before the next attempt after a failed spawn. */
const RETRY_MS = 2_000;
/** A run that was just given away comes first; starting the next runner takes a processor for a while. */
const REFILL_MS = 50;

export interface PoolOptions extends SpawnOptions {
  readonly warm: number;
  readonly log: PluginLog;
}

export class RunnerPool {
  readonly #options: PoolOptions;
  readonly #idle: RunnerClient[] = [];
  readonly #filling = new Set<Promise<void>>();
  /** Takers that wait for one of those being started; undefined tells them that it failed. */
  readonly #waiting: ((client: RunnerClient | undefined) => void)[] = [];
  #retry: NodeJS.Timeout | undefined;
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

  /** A connected idle runner: a warm one, else one that is being started, else a new one. Throws `plugin-failed`. */
  async take(): Promise<RunnerClient> {
    if (this.#closed) throw new LimpetError('unavailable', 'the plugin is ending');
    const warm = this.#idle.shift();
    // Behind the caller's assignment: starting a process takes a while.
    setTimeout(() => this.#fill(), REFILL_MS);
    if (warm !== undefined) return warm;
    if (this.#waiting.length >= this.#filling.size) return spawnRunner(this.#options);
    const started = await new Promise<RunnerClient | undefined>((resolve) =>
      this.#waiting.push(resolve),
    );
    return started ?? spawnRunner(this.#options);
  }

  /** Ends idle runners; runners with a run are not known here any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const client of this.#idle.splice(0)) retire(client);
    await Promise.all(this.#filling);
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }

  async #adopt(name: string): Promise<void> {
    const socketPath = path.join(this.#options.socketsDir, name);
    try {
      const client = await RunnerClient.connect(socketPath);
      if (client.hello.holds !== null) return client.close();
      if (this.#idle.length >= this.#options.warm) return retire(client);
      this.#keep(client);
    } catch (thrown) {
      const gone = thrown instanceof LimpetError && thrown.code === 'unavailable';
      if (gone) await fs.rm(socketPath, { force: true });
    }
  }

  #keep(client: RunnerClient): void {
    if (this.#closed) return retire(client);
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting(client);
    this.#idle.push(client);
    void client.closed.then(() => {
      const at = this.#idle.indexOf(client);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      this.#fill();
    });
  }

  #fill(): void {
    if (this.#closed || this.#retry !== undefined) return;
    while (this.#idle.length + this.#filling.size - this.#waiting.length < this.#options.warm) {
      const filling = this.#spawnOne().finally(() => this.#filling.delete(filling));
      this.#filling.add(filling);
    }
  }

  async #spawnOne(): Promise<void> {
    try {
      this.#keep(await spawnRunner(this.#options));
    } catch (thrown) {
      this.#options.log.warn('wasm.runner-failed', { reason: messageOf(thrown) });
      this.#waiting.shift()?.(undefined);
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#fill();
      }, RETRY_MS);
    }
  }
}

function retire(client: RunnerClient): void {
  client.send({ type: 'retire' });
}
