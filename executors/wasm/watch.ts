/**
 * What the watchdog does: serves the control socket, claims the one run it is given, and ends it at its deadline, on
 * order, or when the process grows far beyond the guest's memory. It ends a run by taking the verdict, writing the exit
 * record, and killing its own process.
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Outcome } from '../../plugins/sdk/index.ts';
import { PAGE_BYTES } from './module/pages.ts';
import {
  RUNNER_PROTOCOL,
  lineSplitter,
  parseToRunner,
  type Assignment,
  type FromRunner,
  type ToRunner,
} from './protocol.ts';
import {
  RUN_FILE,
  claim,
  ownIdentity,
  readStop,
  readUntil,
  syncFolder,
  writeExit,
} from './record.ts';
import type { Verdict } from './verdict.ts';

const TICK_MS = 500;
const GATE_MS = 200;
const GOODBYE_MS = 100;
/** Node itself, compiled code, buffers. */
const RUNNER_BYTES = 256 * 2 ** 20;
const KILLED = 137;

export interface WatchdogOptions {
  readonly socketPath: string;
  /** An idle runner that no plugin is connected to ends after this time. */
  readonly idleMs: number;
  readonly verdict: Verdict;
  /** Hands the assignment to the main thread, which starts the guest. */
  readonly begin: (assignment: Assignment) => void;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #identity = ownIdentity();
  readonly #connections = new Set<net.Socket>();
  #held: Assignment | undefined;
  #claimedAt = 0;
  #lonelySince = performance.now();
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: WatchdogOptions) {
    this.#options = options;
  }

  listen(): void {
    const server = net.createServer((connection) => this.#welcome(connection));
    server.listen(this.#options.socketPath);
    setInterval(() => this.#tick(), Math.min(TICK_MS, this.#options.idleMs));
  }

  /** The run has its exit record: tells everybody, makes the record's name durable, then ends the process. */
  leave(): void {
    fs.rmSync(this.#options.socketPath, { force: true });
    const end = (): void => void process.kill(process.pid, 'SIGKILL');
    setTimeout(end, GOODBYE_MS);
    const told = Array.from(this.#connections, (connection) => {
      const line = `${JSON.stringify({ type: 'ended' } satisfies FromRunner)}\n`;
      return new Promise<void>((resolve) => connection.end(line, () => resolve()));
    });
    void Promise.all(told).then(() => {
      if (this.#held !== undefined) syncFolder(this.#held.folder);
      end();
    });
  }

  #welcome(connection: net.Socket): void {
    this.#connections.add(connection);
    connection.on('error', () => connection.destroy());
    connection.on('close', () => {
      this.#connections.delete(connection);
      this.#lonelySince = performance.now();
    });
    connection.on(
      'data',
      lineSplitter((line) => {
        const message = parseToRunner(line);
        if (message === undefined) connection.destroy();
        else this.#answer(connection, message);
      }),
    );
    this.#hello(connection);
  }

  #hello(connection: net.Socket): void {
    const holds = this.#held === undefined ? null : { ...this.#held.name, at: this.#claimedAt };
    send(connection, { type: 'hello', protocol: RUNNER_PROTOCOL, identity: this.#identity, holds });
  }

  #answer(connection: net.Socket, message: ToRunner): void {
    switch (message.type) {
      case 'assign':
        return send(connection, this.#take(message.assignment));
      case 'orders':
        return void this.#obey();
      case 'status':
        return this.#hello(connection);
      case 'retire':
        if (this.#held === undefined) this.leave();
    }
  }

  #take(assignment: Assignment): FromRunner {
    if (this.#held !== undefined)
      return { type: 'declined', why: 'busy', message: 'this runner holds another run' };
    try {
      if (!claim(assignment.folder, this.#identity))
        return { type: 'declined', why: 'exists', message: 'the run is claimed already' };
    } catch (thrown) {
      return {
        type: 'declined',
        why: 'failed',
        message: thrown instanceof Error ? thrown.message : String(thrown),
      };
    }
    this.#held = assignment;
    this.#claimedAt = Math.floor(fs.statSync(path.join(assignment.folder, RUN_FILE.claim)).mtimeMs);
    fs.writeFileSync(path.join(assignment.folder, RUN_FILE.socket), this.#options.socketPath);
    // Behind the answer, so that nobody hears of the end before the start.
    setImmediate(() => {
      if (!this.#obey()) this.#options.begin(assignment);
    });
    return { type: 'claimed', startedAt: Date.now() };
  }

  /** Looks at the clock and at the orders in the run folder; true when the run has been ended. */
  #obey(): boolean {
    const held = this.#held;
    if (held === undefined) return false;
    const stop = readStop(held.folder);
    if (stop !== undefined) return this.#end({ by: stop.by, code: KILLED, reason: stop.reason });
    const lease = readUntil(held.folder) ?? Number.POSITIVE_INFINITY;
    const deadline = held.deadlineAt > 0 ? held.deadlineAt : Number.POSITIVE_INFINITY;
    const left = Math.min(lease, deadline) - Date.now();
    if (left <= 0)
      return this.#end({
        by: 'limit',
        code: KILLED,
        reason: deadline <= lease ? 'deadline' : 'lease',
      });
    clearTimeout(this.#deadline);
    if (left < 2 * TICK_MS) this.#deadline = setTimeout(() => this.#obey(), left);
    return false;
  }

  #tick(): void {
    const held = this.#held;
    if (held === undefined) {
      const lonely =
        this.#connections.size === 0 &&
        performance.now() - this.#lonelySince >= this.#options.idleMs;
      if (lonely) this.leave();
      return;
    }
    if (this.#obey()) return;
    const bound = 2 * held.memoryPages * PAGE_BYTES + RUNNER_BYTES;
    if (process.memoryUsage.rss() > bound)
      this.#end({ by: 'limit', code: KILLED, reason: 'memory' });
  }

  #end(outcome: Outcome): boolean {
    if (this.#held === undefined || !this.#options.verdict.take()) return true;
    this.#options.verdict.waitForGate(GATE_MS);
    try {
      writeExit(this.#held.folder, outcome, Date.now());
    } finally {
      this.leave();
    }
    return true;
  }
}

function send(connection: net.Socket, message: FromRunner): void {
  connection.write(`${JSON.stringify(message)}\n`);
}
