/**
 * Every request to the engine goes through here: its own AbortController, its own deadline, our error codes.
 * It uses dockerode's modem, whose buffered calls never settle when the engine dies after the headers, hence the deadline;
 * and no http.Agent, which makes the modem inspect it on every request.
 */
import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { LimpetError } from '../../plugins/sdk/index.ts';
import { engineError } from './engine-error.ts';

export interface EngineRequest {
  /** For messages: `inspect container x`. */
  readonly what: string;
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: object;
  /** Until the whole answer is there; for a stream until the headers are. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const CALL_TIMEOUT_MS = 10_000;
const SUCCESS = { 200: true, 201: true, 204: true, 304: true };

export class EngineCalls {
  readonly host: string;
  readonly #docker: Docker;

  constructor(docker: Docker, host: string) {
    this.#docker = docker;
    this.host = host;
  }

  /** The parsed answer. Errors: `unavailable`, `timeout`, `permission-denied`, `not-found`, `conflict`, `engine-failed`, `cancelled`. */
  async json(request: EngineRequest): Promise<unknown> {
    return this.#dial(request, false);
  }

  /** The open answer as a stream; destroying it or aborting `signal` closes the connection. Same errors. */
  async stream(request: EngineRequest): Promise<IncomingMessage> {
    const answer = await this.#dial(request, true);
    return answer as IncomingMessage;
  }

  async #dial(request: EngineRequest, isStream: boolean): Promise<unknown> {
    const controller = new AbortController();
    const { promise, resolve, reject } = withResolvers<unknown>();
    const giveUp = (error: LimpetError) => {
      reject(error);
      controller.abort();
    };
    const { what, timeoutMs = CALL_TIMEOUT_MS, signal } = request;
    const late = `${what}: no answer from ${this.host} in ${timeoutMs} ms`;
    const timer = setTimeout(() => giveUp(new LimpetError('timeout', late)), timeoutMs);
    const cancel = () => giveUp(new LimpetError('cancelled', `${what} was cancelled`));
    const untie = () => signal?.removeEventListener('abort', cancel);
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    this.#send(request, { isStream, signal: controller.signal }, (error, answer) => {
      if (error === null) resolve(answer);
      else reject(engineError(what, this.host, error));
    });
    try {
      const answer = await promise;
      // A stream stays tied to the caller's signal until it closes; an error before anybody reads is not fatal.
      if (isStream) (answer as IncomingMessage).on('error', () => undefined).once('close', untie);
      else untie();
      return answer;
    } catch (thrown) {
      untie();
      throw thrown;
    } finally {
      clearTimeout(timer);
    }
  }

  #send(
    request: EngineRequest,
    { isStream, signal }: { readonly isStream: boolean; readonly signal: AbortSignal },
    done: (error: Error | null, answer: unknown) => void,
  ): void {
    this.#docker.modem.dial(
      {
        path: `${request.path}?`,
        method: request.method ?? 'GET',
        // The modem changes what it is given: nothing here is shared between calls.
        options: { _query: { ...request.query }, _body: request.body ?? {} },
        abortSignal: signal,
        isStream,
        statusCodes: { ...SUCCESS },
      },
      done,
    );
  }
}

interface Resolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

function withResolvers<T>(): Resolvers<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((ok, no) => {
    resolve = ok;
    reject = no;
  });
  return { promise, resolve, reject };
}
