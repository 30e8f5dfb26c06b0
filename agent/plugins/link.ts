/** One connection to one plugin process: typed clients, and a signal that fires when the connection is let go. */
import { setMaxListeners } from 'node:events';
import { LimpetError } from '../../core/errors.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import { HealthCheckResponse_ServingStatus as Serving } from '../../plugins/proto/gen/grpc/health/v1/health_pb.js';
import { Health } from '../../plugins/proto/gen/grpc/health/v1/health_pb.js';
import { Executor } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { GRPCController, GRPCStdio } from '../../plugins/proto/gen/plugin/plugin_pb.js';
import { client, connect, type Client, type Connection } from '../../plugins/proto/grpc.ts';
import { dialTarget, HEALTH_SERVICE } from '../../plugins/proto/handshake.ts';
import type { PluginTimings } from './options.ts';

export class PluginLink {
  readonly executor: Client<typeof Executor.method>;
  readonly controller: Client<typeof GRPCController.method>;
  readonly stdio: Client<typeof GRPCStdio.method>;
  readonly #health: Client<typeof Health.method>;
  readonly #connection: Connection;
  readonly #closed = new AbortController();

  /** Dials at the first call. */
  constructor(socket: string) {
    this.#connection = connect(dialTarget({ network: 'unix', address: socket }));
    this.executor = client(Executor, this.#connection);
    this.controller = client(GRPCController, this.#connection);
    this.stdio = client(GRPCStdio, this.#connection);
    this.#health = client(Health, this.#connection);
    // As many as there are calls under way.
    setMaxListeners(0, this.#closed.signal);
  }

  /** Fires at close; hand it to every call, since closing a channel leaves calls under way alone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  close(): void {
    this.#closed.abort();
    this.#connection.close();
  }

  /** One health check. */
  async isServing(deadlineMs: number): Promise<boolean> {
    const options = { deadlineMs, signal: this.closed };
    const answer = await this.#health.check({ service: HEALTH_SERVICE }, options);
    return answer.status === Serving.SERVING;
  }
}

export interface ServingWait {
  readonly clock: Clock;
  readonly timings: Pick<PluginTimings, 'slowMs' | 'deadMs'>;
  /** False ends the wait: the process is no more. */
  alive(): boolean;
  /** The first check was missed. */
  onSlow?(): void;
}

const QUICK_RETRY_MS = 50;

/**
 * Two stages: a check that is missed makes the plugin slow, all checks within the dead time make it dead. Time counts in
 * checks and not by the clock, so that an agent that was itself suspended does not take its plugins for dead.
 */
export async function serves(link: PluginLink, wait: ServingWait): Promise<boolean> {
  const { slowMs, deadMs } = wait.timings;
  const checks = Math.max(1, Math.ceil(deadMs / slowMs));
  for (let missed = 0; missed < checks; missed++) {
    if (missed === 1) wait.onSlow?.();
    if (await answersWithin(link, slowMs, wait)) return true;
    if (!wait.alive() || link.closed.aborted) return false;
  }
  return false;
}

/** A connection that is refused is tried again until the time of one check is over. */
async function answersWithin(link: PluginLink, ms: number, wait: ServingWait): Promise<boolean> {
  const end = wait.clock.uptime() + ms;
  for (;;) {
    const left = end - wait.clock.uptime();
    if (left <= 0) return false;
    try {
      if (await link.isServing(left)) return true;
    } catch (error) {
      if (LimpetError.from(error).code === 'timeout') return false;
    }
    if (!wait.alive() || link.closed.aborted) return false;
    await wait.clock.sleep(Math.min(QUICK_RETRY_MS, left));
  }
}
