/** The engine's calls to a plugin, whichever instance of it each of them is for. */
import type { LogsResponse } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { EitherSignal } from '../../core/either-signal.ts';
import type { LiveProgress } from '../../core/live-progress.ts';
import type { ExecutorClient, RunOrder, RunRef } from './port.ts';
import type { InstanceClient, RunRouting } from './routing.ts';

type LogsRequest = Parameters<ExecutorClient['logs']>[0];

export class RoutedClient implements ExecutorClient {
  readonly name: string;
  /** Of the instance that takes new work. */
  readonly paramsSchema: unknown;
  readonly preparesOnce: boolean;
  readonly #routing: RunRouting;

  constructor(routing: RunRouting) {
    this.name = routing.primary.name;
    this.paramsSchema = routing.primary.paramsSchema;
    this.preparesOnce = routing.primary.preparesOnce ?? false;
    this.#routing = routing;
  }

  prepare(
    order: RunOrder,
    progress: (now: LiveProgress) => void,
    signal: AbortSignal,
  ): Promise<string> {
    return this.#routing.primary.prepare(order, progress, signal);
  }

  start(order: RunOrder): ReturnType<ExecutorClient['start']> {
    return this.#routing.on(order.ref, (client) => client.start(order));
  }

  recover(ref: RunRef, handle: string | undefined): ReturnType<ExecutorClient['recover']> {
    return this.#routing.on(ref, (client) => client.recover(ref, handle));
  }

  status(ref: RunRef): ReturnType<ExecutorClient['status']> {
    return this.#routing.on(ref, (client) => client.status(ref));
  }

  list(): ReturnType<ExecutorClient['list']> {
    return this.#routing.list();
  }

  acceptEngine(): ReturnType<ExecutorClient['acceptEngine']> {
    return this.#routing.primary.acceptEngine();
  }

  leave(order: { readonly dryRun: boolean }): Promise<readonly string[]> {
    return this.#routing.primary.leave(order);
  }

  stop(ref: RunRef, order: Parameters<ExecutorClient['stop']>[1]): Promise<void> {
    return this.#routing.on(ref, (client) => client.stop(ref, order));
  }

  /** One call for each instance. */
  async renew(leases: Parameters<ExecutorClient['renew']>[0]): Promise<void> {
    const byOwner = new Map<InstanceClient, (typeof leases)[number][]>();
    for (const lease of leases) {
      const owner = this.#routing.ownerOf(lease.ref);
      byOwner.set(owner, [...(byOwner.get(owner) ?? []), lease]);
    }
    await Promise.all([...byOwner].map(([client, own]) => client.renew(own)));
  }

  remove(ref: RunRef, withLogs: boolean): Promise<void> {
    return this.#routing.on(ref, (client) => client.remove(ref, withLogs));
  }

  /** When the execution changes hands, it goes on with the new owner where it was. */
  async *logs(request: LogsRequest, signal: AbortSignal): AsyncGenerator<LogsResponse> {
    let wanted = request;
    for (;;) {
      const owner = this.#routing.ownerOfLog(request.executionId);
      const hands = new AbortController();
      const unwatch = this.#routing.watch(request.executionId, () => {
        if (this.#routing.ownerOfLog(request.executionId) !== owner) hands.abort();
      });
      try {
        using either = new EitherSignal(signal, hands.signal);
        for await (const message of owner.logs(wanted, either.signal)) {
          wanted = { ...wanted, fromOffset: message.nextOffset, tailLines: 0 };
          yield message;
        }
        if (!hands.signal.aborted) return;
      } catch (thrown) {
        if (signal.aborted || !hands.signal.aborted) throw thrown;
      } finally {
        unwatch();
      }
    }
  }
}
