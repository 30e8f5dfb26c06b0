/** The service `limpet.executor.v1.Executor` over one executor definition. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { ConfigureRequest, Executor } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import type { Implementation } from '../proto/grpc-server.ts';
import { configure, type Configured, type PluginPorts } from './configured.ts';
import { readLog, readShortLog } from './log-reader.ts';
import { pause } from './pause.ts';
import { prepareStream } from './prepare-stream.ts';
import type { ExecutorDefinition, Fingerprint, Observation } from './types.ts';
import {
  fingerprintToWire,
  framesToWire,
  keyFromWire,
  pieceToWire,
  specFromWire,
  stateToWire,
  stopFromWire,
} from './wire-runs.ts';

type Methods = Implementation<(typeof Executor)['method']>;

export const FINGERPRINT_POLL_MS = 5000;
const FINGERPRINT_REPEAT_MS = 30_000;
/** Sent with the news of a run's end, so that nobody has to ask for it. */
const SHORT_LOG_BYTES = 4096;
const SIGNALS = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

/** Serves one definition; unconfigured until the first Configure. */
export class ExecutorService<Config, Params> {
  readonly #definition: ExecutorDefinition<Config, Params>;
  readonly #ports: PluginPorts;
  #configured:
    { readonly by: ConfigureRequest; readonly made: Promise<Configured<Params>> } | undefined;
  #ready: Configured<Params> | undefined;

  constructor(definition: ExecutorDefinition<Config, Params>, ports: PluginPorts) {
    this.#definition = definition;
    this.#ports = ports;
  }

  /** Supervised runs that have not settled. */
  get live(): number {
    return this.#ready?.table.live ?? 0;
  }

  /** Lets go of every run and closes the executor; runs go on. */
  async close(): Promise<void> {
    await this.#ready?.table.releaseAll();
    await this.#ready?.executor.close?.();
  }

  methods(): Methods {
    return { ...this.#plainMethods(), ...this.#runMethods(), ...this.#streamMethods() };
  }

  #plainMethods(): Methods {
    return {
      info: () => this.#info(),
      configSchema: async () => ({
        configSchemaJson: schemaText(this.#definition.config),
        paramsSchemaJson: schemaText(this.#definition.params),
      }),
      configure: async ({ request }) => {
        await this.#configure(request);
        return {};
      },
      acceptEngine: () => this.#acceptEngine(),
      leave: async ({ request: { dryRun } }) => ({ kept: await this.#leave(dryRun) }),
    };
  }

  #runMethods(): Methods {
    const calls = () => this.#made().calls;
    return {
      start: async ({ request }) => {
        const { seen, alreadyRunning } = await calls().start(specFromWire(request.spec));
        return { state: await this.#state(seen), alreadyRunning };
      },
      recover: async ({ request }) => this.#state(await calls().recover(keyFromWire(request.key))),
      list: async () => {
        const listed = await calls().list();
        const runs = await Promise.all(listed.map((seen) => this.#state(seen)));
        const unseen = listed.some((seen) => seen.phase === 'unobservable');
        const engineChanged = unseen && (await this.#engineChanged());
        return { runs, engineId: await this.#engineId(), engineChanged };
      },
      status: async ({ request }) => this.#state(await calls().status(keyFromWire(request.key))),
      wait: async ({ request, signal }) =>
        this.#state(await calls().wait(keyFromWire(request.key), request.timeoutMs, signal)),
      stop: async ({ request }) => {
        await calls().stop(keyFromWire(request.key), stopFromWire(request));
        return {};
      },
      renew: async ({ request }) => {
        const leases = request.leases.map(({ key, untilMs }) => ({
          key: keyFromWire(key),
          untilMs: Number(untilMs),
        }));
        await calls().renew(leases);
        return {};
      },
      release: async ({ request }) => {
        await calls().release(keyFromWire(request.key));
        return {};
      },
      remove: async ({ request }) => {
        await calls().remove(keyFromWire(request.key), request.withLogs);
        return {};
      },
    };
  }

  #streamMethods(): Methods {
    const made = () => this.#made();
    const fingerprints = (signal: AbortSignal) => this.#fingerprints(signal);
    const end = (seen: Observation) => this.#end(seen);
    return {
      fingerprint: ({ signal }) => fingerprints(signal),
      prepare: async function* ({ request, signal }) {
        const { executor, typed } = made();
        yield* prepareStream(executor, typed(specFromWire(request.spec)), signal);
      },
      logs: async function* ({ request, signal }) {
        const { fromOffset, follow, tailLines, executionId } = request;
        const sinceMs = Number(request.sinceMs);
        const wanted = { fromOffset: Number(fromOffset), follow, tailLines, sinceMs };
        yield* made().logs.stream(executionId, (log) => readLog(log, wanted, signal), pieceToWire);
      },
      events: async function* ({ request, signal }) {
        for await (const { seq, key, gap, timeMs, seen } of made().events.follow(
          Number(request.sinceSeq),
          signal,
        ))
          yield {
            seq: BigInt(seq),
            gap,
            timeMs: BigInt(timeMs),
            ...(key === undefined ? {} : { key: { ...key } }),
            ...(seen === undefined ? {} : await end(seen)),
          };
      },
    };
  }

  async #info() {
    const { name, version, capabilities } = this.#definition;
    return {
      name,
      version,
      instanceId: this.#ports.pluginInstance,
      engineId: await this.#engineId(),
      pid: BigInt(process.pid),
      capabilities: {
        exec: false,
        tty: false,
        stats: false,
        signals: SIGNALS,
        renew: this.#ready?.executor.renew !== undefined,
        held: capabilities?.held ?? false,
        preparesOnce: capabilities?.preparesOnce ?? false,
      },
    };
  }

  /** Repeatable with equal values; another try is allowed after a failure. */
  async #configure(request: ConfigureRequest): Promise<void> {
    if (this.#configured !== undefined && !isDeepStrictEqual(this.#configured.by, request))
      throw new LimpetError(
        'conflict',
        'this plugin is configured with other values; start a new instance to change them',
      );
    const made = this.#configured?.made ?? configure(this.#definition, request, this.#ports);
    this.#configured = { by: request, made };
    try {
      this.#ready = await made;
    } catch (thrown) {
      this.#configured = undefined;
      throw thrown;
    }
  }

  #made(): Configured<Params> {
    if (this.#ready !== undefined) return this.#ready;
    throw new LimpetError('conflict', 'this plugin is not configured yet; call Configure first');
  }

  /** Empty while the engine is out of reach or has none. */
  async #engineId(): Promise<string> {
    const id = await this.#ready?.executor.engineId?.().catch(() => undefined);
    return id ?? '';
  }

  async #engineChanged(): Promise<boolean> {
    return (await this.#made().executor.engineChanged?.()) ?? false;
  }

  async #acceptEngine() {
    const { executor } = this.#made();
    if (executor.acceptEngine === undefined)
      throw new LimpetError(
        'unimplemented',
        `the runs of executor ${this.#definition.name} are held by this host, not by an engine`,
      );
    const { engineId, givenUp } = await executor.acceptEngine();
    return { engineId, givenUp: givenUp.map((key) => ({ ...key })) };
  }

  async #leave(dryRun: boolean): Promise<string[]> {
    const { executor } = this.#made();
    if (executor.leave !== undefined) return [...(await executor.leave({ dryRun }))];
    throw new LimpetError('unimplemented', `executor ${this.#definition.name} keeps nothing`);
  }

  async #state(seen: Observation) {
    return stateToWire(seen, await this.#made().calls.logOffset(seen.key));
  }

  /** What the agent would ask for next is told with the news. */
  async #end(seen: Observation) {
    const short = await this.#made().logs.using(seen.key.executionId, async (log) =>
      readShortLog(log, SHORT_LOG_BYTES),
    );
    return { state: await this.#state(seen), log: short === undefined ? [] : framesToWire(short) };
  }

  async *#fingerprints(signal: AbortSignal) {
    let last = '';
    let toldAt = 0;
    while (!signal.aborted) {
      const found = await this.#fingerprint();
      const text = JSON.stringify(found);
      if (text !== last || performance.now() - toldAt >= FINGERPRINT_REPEAT_MS) {
        last = text;
        toldAt = performance.now();
        yield fingerprintToWire(found);
      }
      await pause(FINGERPRINT_POLL_MS, signal);
    }
  }

  async #fingerprint(): Promise<Fingerprint> {
    const { executor } = this.#made();
    return executor
      .fingerprint()
      .catch((thrown: unknown) => ({ health: 'unhealthy', reason: messageOf(thrown) }) as const);
  }
}

/** As people write it: fields with defaults are optional. */
function schemaText(schema: z.ZodType): string {
  return JSON.stringify(z.toJSONSchema(schema, { io: 'input' }));
}
