/** The requester's HTTP API as the commands use it. Every answer is parsed once, here. */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Endpoint } from './endpoint.ts';
import { parseExact } from './exact-json.ts';
import { readBody, send } from './http.ts';
import type { HttpCall } from './http.ts';
import { readEvents } from './server-sent-events.ts';
import type { ServerEvent } from './server-sent-events.ts';

const IDLE_MS = 60_000;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** The type of the answer that is wanted. */
  readonly accept?: string;
}

/** `orchestrator/jobs` below `/api/v1`, each part already encoded. */
export type ApiPath = string;

export class ApiClient {
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  get url(): string {
    return this.#endpoint.url;
  }

  /** Throws what the requester answers, as `not-found`, `conflict`, `unauthorized`, ...; `unavailable` when it is away. */
  async call<S extends z.ZodType>(
    method: HttpCall['method'],
    path: ApiPath,
    schema: S,
    options: CallOptions = {},
  ): Promise<z.output<S>> {
    const response = await this.#send(method, this.#url(path, options.query), options, IDLE_MS);
    const text = await readBody(response);
    const parsed = schema.safeParse(parseAnswer(text, this.url));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new LimpetError(
      'internal',
      `${this.url} answered ${method} ${path} in an unknown form: ${issue?.path.join('.')}: ${issue?.message}`,
    );
  }

  get<S extends z.ZodType>(path: ApiPath, schema: S, options?: CallOptions): Promise<z.output<S>> {
    return this.call('GET', path, schema, options);
  }

  /** Ends when the server ends it; throws `unavailable` when the connection breaks, `cancelled` by the signal. */
  async *events(path: ApiPath, options: CallOptions = {}): AsyncGenerator<ServerEvent> {
    const response = await this.#send('GET', this.#url(path, options.query), options, 0);
    try {
      yield* readEvents(response);
    } catch (error) {
      const code = options.signal?.aborted === true ? 'cancelled' : 'unavailable';
      throw new LimpetError(code, `the connection broke: ${messageOf(error)}`, { cause: error });
    } finally {
      response.destroy();
    }
  }

  /** The body of an answer of the type that is accepted, for the caller to read and to watch. */
  async body(
    path: ApiPath,
    options: CallOptions & { readonly accept: string },
  ): Promise<IncomingMessage> {
    const response = await this.#send('GET', this.#url(path, options.query), options, 0);
    const type = response.headers['content-type'] ?? 'no type';
    if (type.startsWith(options.accept)) return response;
    response.destroy();
    throw new LimpetError(
      'version-mismatch',
      `${this.url} answers ${path} with ${type} instead of ${options.accept}; is it as new as this limpet?`,
    );
  }

  /** A file that the requester (or another server) offers; the token goes to the requester alone. */
  download(url: string, signal?: AbortSignal): Promise<IncomingMessage> {
    return this.#send('GET', new URL(url, this.url), { signal }, IDLE_MS);
  }

  #url(path: ApiPath, query: Query = {}): URL {
    const url = new URL(`${this.#endpoint.url}/api/v1/${path}`);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    return url;
  }

  async #send(
    method: HttpCall['method'],
    url: URL,
    options: CallOptions,
    idleMs: number,
  ): Promise<IncomingMessage> {
    const own = url.origin === new URL(this.#endpoint.url).origin;
    const token = own ? this.#endpoint.token : undefined;
    const hasBody = method !== 'GET';
    const response = await send({
      method,
      url,
      idleMs,
      ca: this.#endpoint.ca,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(hasBody ? { 'content-type': 'application/json' } : {}),
        ...(options.accept === undefined ? {} : { accept: options.accept }),
      },
      ...(hasBody ? { body: JSON.stringify(options.body ?? {}) } : {}),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    }).catch((error: unknown) => {
      throw nobodyThere(LimpetError.from(error), url.origin);
    });
    if ((response.statusCode ?? 500) >= 300) throw await refusal(response, url.origin);
    return response;
  }
}

function nobodyThere(error: LimpetError, origin: string): LimpetError {
  if (error.code === 'cancelled') return error;
  if (error.code === 'permission-denied')
    return new LimpetError(error.code, `${origin} is not trusted: ${error.message}`, {
      cause: error,
    });
  const hint = 'start one with `limpet dev`, or name another with --api';
  return new LimpetError(
    error.code,
    `no requester answers at ${origin}: ${error.message}; ${hint}`,
    {
      cause: error,
    },
  );
}

const errorBody = z.looseObject({ Message: z.string(), Hint: z.string().optional() });
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'refused',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  413: 'too-large',
  422: 'refused',
  429: 'exhausted',
  501: 'unimplemented',
  503: 'unavailable',
};

async function refusal(response: IncomingMessage, origin: string): Promise<LimpetError> {
  const status = response.statusCode ?? 500;
  const code = CODES[status] ?? 'internal';
  const body = errorBody.safeParse(tryParse(await readBody(response)));
  if (code === 'unauthorized')
    return new LimpetError(
      code,
      `${origin} does not accept this token: ${body.data?.Message ?? 'no reason given'}; set LIMPET_TOKEN`,
    );
  if (!body.success) return new LimpetError(code, `${origin} answered ${status}`);
  const hint = body.data.Hint === undefined ? '' : `; ${body.data.Hint}`;
  return new LimpetError(code, `${body.data.Message}${hint}`);
}

function parseAnswer(text: string, url: string): unknown {
  try {
    return parseExact(text);
  } catch (cause) {
    throw new LimpetError('internal', `${url} did not answer with JSON; is it a requester?`, {
      cause,
    });
  }
}

function tryParse(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed;
  } catch {
    return undefined;
  }
}
