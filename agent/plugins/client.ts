/** The engine's calls to one live plugin over gRPC: every call has a deadline, every failure is a LimpetError. */
import { EitherSignal } from '../../core/either-signal.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ObservedRun } from '../../core/execution/observed.ts';
import { liveProgress, type LiveProgress } from '../../core/live-progress.ts';
import type {
  LogsResponse,
  PrepareResponse,
  RunState,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import type { UnaryOptions } from '../../plugins/proto/grpc.ts';
import { absent, toObserved, toRunSpec } from './convert.ts';
import type { PluginLink } from './link.ts';
import type { CallDeadlines } from './options.ts';
import type { ExecutorClient, RunOrder, RunRef } from './port.ts';
import type { InstanceClient } from './routing.ts';

type Started = Awaited<ReturnType<ExecutorClient['start']>>;
type Listed = Awaited<ReturnType<ExecutorClient['list']>>;
type Accepted = Awaited<ReturnType<ExecutorClient['acceptEngine']>>;

export class GrpcExecutorClient implements InstanceClient {
  readonly name: string;
  readonly paramsSchema: unknown;
  readonly preparesOnce: boolean;
  readonly #link: PluginLink;
  readonly #deadlines: CallDeadlines;

  constructor(
    name: string,
    link: PluginLink,
    facts: { paramsSchema: unknown; calls: CallDeadlines; preparesOnce?: boolean },
  ) {
    this.name = name;
    this.paramsSchema = facts.paramsSchema;
    this.preparesOnce = facts.preparesOnce ?? false;
    this.#link = link;
    this.#deadlines = facts.calls;
  }

  async prepare(
    order: RunOrder,
    progress: (now: LiveProgress) => void,
    signal: AbortSignal,
  ): Promise<string> {
    using either = new EitherSignal(signal, this.#link.closed);
    const options = { deadlineMs: this.#deadlines.prepareMs, signal: either.signal };
    try {
      const steps = this.#link.executor.prepare({ spec: toRunSpec(order) }, options);
      for await (const step of steps) {
        if (step.done) return step.digest;
        const now = toProgress(step);
        if (now !== undefined) progress(now);
      }
    } catch (error) {
      throw this.#failure('Prepare', error, signal);
    }
    throw new LimpetError('plugin-failed', `plugin ${this.name} ended Prepare without a digest`);
  }

  async start(order: RunOrder): Promise<Started> {
    const answer = await this.#call('Start', this.#deadlines.startMs, (options) =>
      this.#link.executor.start({ spec: toRunSpec(order) }, options),
    );
    if (answer.state === undefined)
      throw new LimpetError('plugin-failed', `plugin ${this.name} answered Start without a state`);
    return { observed: toObserved(answer.state, order.ref), alreadyRunning: answer.alreadyRunning };
  }

  recover(ref: RunRef, handle: string | undefined): Promise<ObservedRun> {
    const request = {
      key: { ...ref },
      handle: new Uint8Array(Buffer.from(handle ?? '', 'base64')),
    };
    return this.#look(ref, 'Recover', this.#deadlines.listMs, (options) =>
      this.#link.executor.recover(request, options),
    );
  }

  status(ref: RunRef): Promise<ObservedRun> {
    return this.#look(ref, 'Status', this.#deadlines.quickMs, (options) =>
      this.#link.executor.status({ key: { ...ref } }, options),
    );
  }

  async list(): Promise<Listed> {
    const answer = await this.#call('List', this.#deadlines.listMs, (options) =>
      this.#link.executor.list({}, options),
    );
    const { engineId, engineChanged } = answer;
    return { runs: answer.runs.map((run) => toObserved(run)), engineId, engineChanged };
  }

  async acceptEngine(): Promise<Accepted> {
    const { engineId, givenUp } = await this.#call(
      'AcceptEngine',
      this.#deadlines.listMs,
      (options) => this.#link.executor.acceptEngine({}, options),
    );
    return { engineId, givenUp: givenUp.map(({ executionId, run }) => ({ executionId, run })) };
  }

  async leave({ dryRun }: { readonly dryRun: boolean }): Promise<readonly string[]> {
    try {
      const { kept } = await this.#call('Leave', this.#deadlines.listMs, (options) =>
        this.#link.executor.leave({ dryRun }, options),
      );
      return kept;
    } catch (error) {
      if (LimpetError.from(error).code === 'unimplemented') return [];
      throw error;
    }
  }

  async stop(ref: RunRef, order: Parameters<ExecutorClient['stop']>[1]): Promise<void> {
    const request = { key: { ...ref }, ...order, graceMs: Math.floor(order.graceMs) };
    await this.#call('Stop', this.#deadlines.quickMs, (options) =>
      this.#link.executor.stop(request, options),
    );
  }

  async renew(leases: Parameters<ExecutorClient['renew']>[0]): Promise<void> {
    const request = {
      leases: leases.map(({ ref, untilMs }) => ({ key: { ...ref }, untilMs: BigInt(untilMs) })),
    };
    await this.#call('Renew', this.#deadlines.quickMs, (options) =>
      this.#link.executor.renew(request, options),
    );
  }

  async release(ref: RunRef): Promise<void> {
    await this.#call('Release', this.#deadlines.quickMs, (options) =>
      this.#link.executor.release({ key: { ...ref } }, options),
    );
  }

  async remove(ref: RunRef, withLogs: boolean): Promise<void> {
    await this.#call('Remove', this.#deadlines.removeMs, (options) =>
      this.#link.executor.remove({ key: { ...ref }, withLogs }, options),
    );
  }

  async *logs(
    request: Parameters<ExecutorClient['logs']>[0],
    signal: AbortSignal,
  ): AsyncGenerator<LogsResponse> {
    using either = new EitherSignal(signal, this.#link.closed);
    try {
      yield* this.#link.executor.logs(request, { signal: either.signal });
    } catch (error) {
      throw this.#failure('Logs', error, signal);
    }
  }

  async #look(
    ref: RunRef,
    what: string,
    deadlineMs: number,
    call: (options: UnaryOptions) => Promise<RunState>,
  ): Promise<ObservedRun> {
    try {
      return toObserved(await this.#call(what, deadlineMs, call), ref);
    } catch (error) {
      if (LimpetError.from(error).code === 'not-found') return absent(ref);
      throw error;
    }
  }

  async #call<T>(
    what: string,
    deadlineMs: number,
    call: (options: UnaryOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await call({ deadlineMs, signal: this.#link.closed });
    } catch (error) {
      throw this.#failure(what, error);
    }
  }

  /** `cancelled` is only what the caller itself has cancelled; a plugin that went away is `plugin-failed`. */
  #failure(what: string, thrown: unknown, signal?: AbortSignal): LimpetError {
    const error = LimpetError.from(thrown, 'plugin-failed');
    if (signal?.aborted === true)
      return new LimpetError('cancelled', `${what} was cancelled`, { cause: thrown });
    if (error.code === 'cancelled')
      return new LimpetError('plugin-failed', `plugin ${this.name} went away during ${what}`, {
        cause: thrown,
      });
    if (error.code !== 'timeout' && error.code !== 'unavailable') return error;
    const message = `plugin ${this.name}: ${what} failed: ${error.message}`;
    return new LimpetError(error.code, message, { cause: thrown });
  }
}

function toProgress(step: PrepareResponse): LiveProgress | undefined {
  const { kind, item, message } = step;
  const doneBytes = Number(step.currentBytes);
  return liveProgress({ kind, item, message, doneBytes, totalBytes: Number(step.totalBytes) });
}
