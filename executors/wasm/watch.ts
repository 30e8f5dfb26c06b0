/**
 * What the watchdog does: serves the control socket, claims the run it is given, and ends it at its deadline, on order, or
 * when the process grows far beyond the guest's memory. It ends a run by taking the verdict, writing the exit record, and
 * killing its own process. A run that has ended by itself leaves the process free for the next; see reuse.ts.
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
import { Verdict } from './verdict.ts';

const TICK_MS = 500;
const GATE_MS = 200;
const GOODBYE_MS = 100;
/** Node itself, compiled code, buffers. */
const RUNNER_BYTES = 256 * 2 ** 20;
const KILLED = 137;

/** What the plugin starts a runner with. */
export interface RunnerSettings {
  readonly socket: string;
  /** An idle runner that no plugin is connected to ends after this time. */
  readonly idleMs: number;
  /** After so many runs the process ends. */
  readonly maxRuns: number;
}

/** To the main thread: start the guest. `shared` is the run's verdict. */
export interface Begin {
  readonly assignment: Assignment;
  readonly shared: SharedArrayBuffer;
}

/** From the main thread. `free`, `lost`: the run has its exit record, and the thread can take another run, or never will. */
export type ToWatchdog =
  'ready' | 'lost' | { readonly type: 'free'; readonly record: string | undefined };

export interface WatchdogOptions {
  readonly socketPath: string;
  readonly idleMs: number;
  readonly begin: (begin: Begin) => void;
}

interface HeldRun {
  readonly assignment: Assignment;
  readonly claimedAt: number;
  readonly verdict: Verdict;
  /** Looks at which the record was there, and the guest not left. */
  overdue: number;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #identity = ownIdentity();
  readonly #connections = new Set<net.Socket>();
  #held: HeldRun | undefined;
  #owner: string | undefined;
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
      if (this.#held !== undefined) syncFolder(this.#held.assignment.folder);
      end();
    });
  }

  /** The run has its exit record, which says this, and its guest is left: tells everybody, then takes another. */
  release(record: string | undefined): void {
    const folder = this.#held?.assignment.folder;
    // Whoever gave the order may still be about to kill this process for it.
    if (folder === undefined || readStop(folder) !== undefined) return this.leave();
    clearTimeout(this.#deadline);
    const ended = {
      type: 'ended',
      free: true,
      ...(record === undefined ? {} : { record }),
    } as const;
    for (const connection of this.#connections) send(connection, ended);
    try {
      syncFolder(folder);
    } catch {
      return this.leave();
    }
    this.#held = undefined;
    this.#lonelySince = performance.now();
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
    const held = this.#held;
    const holds = held === undefined ? null : { ...held.assignment.name, at: held.claimedAt };
    send(connection, {
      ...{ type: 'hello', protocol: RUNNER_PROTOCOL, identity: this.#identity, holds },
      ...(this.#owner === undefined ? {} : { owner: this.#owner }),
    });
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
    const isOthers = this.#owner !== undefined && this.#owner !== assignment.owner;
    if (this.#held !== undefined || isOthers)
      return { type: 'declined', why: 'busy', message: 'this runner is not free for this run' };
    try {
      if (!claim(assignment.folder, this.#identity, this.#options.socketPath))
        return { type: 'declined', why: 'exists', message: 'the run is claimed already' };
    } catch (thrown) {
      return {
        type: 'declined',
        why: 'failed',
        message: thrown instanceof Error ? thrown.message : String(thrown),
      };
    }
    const claimedAt = Math.floor(fs.statSync(path.join(assignment.folder, RUN_FILE.claim)).mtimeMs);
    const verdict = new Verdict();
    this.#held = { assignment, claimedAt, verdict, overdue: 0 };
    this.#owner = assignment.owner;
    // Behind the answer, so that nobody hears of the end before the start.
    setImmediate(() => {
      if (!this.#obey()) this.#options.begin({ assignment, shared: verdict.shared });
    });
    return { type: 'claimed', startedAt: claimedAt };
  }

  /** Looks at the clock and at the orders in the run folder; true when the run has been ended. */
  #obey(): boolean {
    const held = this.#held?.assignment;
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
    if (held.verdict.isRecorded && (held.overdue += 1) > 1) return this.leave();
    if (this.#obey()) return;
    const bound = 2 * held.assignment.memoryPages * PAGE_BYTES + RUNNER_BYTES;
    if (process.memoryUsage.rss() > bound)
      this.#end({ by: 'limit', code: KILLED, reason: 'memory' });
  }

  #end(outcome: Outcome): boolean {
    const held = this.#held;
    if (held === undefined || !held.verdict.take()) return true;
    held.verdict.waitForGate(GATE_MS);
    try {
      writeExit(held.assignment.folder, outcome, Date.now());
    } finally {
      this.leave();
    }
    return true;
  }
}

function send(connection: net.Socket, message: FromRunner): void {
  connection.write(`${JSON.stringify(message)}\n`);
}
