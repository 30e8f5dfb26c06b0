/** One HTTP request over TCP or a unix socket; the body arrives as a stream. */
import { request as requestHttp } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { LimpetError } from '../../core/errors.ts';
import { distrust } from './distrust.ts';

export interface HttpCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Of a unix socket: `http://socket/path`, with `socketPath`. */
  readonly url: URL;
  readonly socketPath?: string;
  /** Of https: authorities beside those of Node, PEM. */
  readonly ca?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** No byte for so long ends it; 0 waits for ever (streams). */
  readonly idleMs: number;
  readonly signal?: AbortSignal;
}

/** Rejects with `unavailable` (nobody is there), `timeout`, `permission-denied` (also: a certificate not to be trusted) or `cancelled`. */
export async function send(call: HttpCall): Promise<IncomingMessage> {
  const request = await begin(call);
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('timeout', () => {
      request.destroy(new LimpetError('timeout', `no answer within ${call.idleMs / 1000} s`));
    });
    request.on('error', (error) => {
      reject(connectError(error));
    });
    request.end(call.body);
  });
}

async function begin(call: HttpCall): Promise<ClientRequest> {
  if (call.url.protocol !== 'https:') return requestHttp(call.url, requestOptions(call));
  const { request } = await import('node:https');
  if (call.ca === undefined) return request(call.url, requestOptions(call));
  const { rootCertificates } = await import('node:tls');
  return request(call.url, { ...requestOptions(call), ca: [...rootCertificates, call.ca] });
}

function requestOptions(call: HttpCall): RequestOptions {
  const length =
    call.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(call.body)) };
  return {
    method: call.method,
    headers: { ...call.headers, ...length },
    timeout: call.idleMs,
    agent: false,
    ...(call.socketPath === undefined ? {} : { socketPath: call.socketPath }),
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  };
}

const REFUSED = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH']);

function connectError(error: NodeJS.ErrnoException): LimpetError {
  if (error instanceof LimpetError) return error;
  const reason = distrust(error);
  if (reason !== undefined) return new LimpetError('permission-denied', reason, { cause: error });
  if (error.code === 'EACCES') return new LimpetError('permission-denied', 'permission denied');
  if (error.code !== undefined && REFUSED.has(error.code))
    return new LimpetError('unavailable', 'connection refused', { cause: error });
  return error.name === 'AbortError'
    ? LimpetError.from(error)
    : new LimpetError('unavailable', `connection lost: ${error.message}`, { cause: error });
}

const MAX_BODY_CHARACTERS = 256 * 1024 * 1024;

/** The whole body. Rejects with `unavailable` when the connection breaks on the way. */
export async function readBody(response: IncomingMessage): Promise<string> {
  const parts: string[] = [];
  let size = 0;
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      const part = String(chunk);
      size += part.length;
      if (size > MAX_BODY_CHARACTERS) throw new LimpetError('too-large', 'the answer is too long');
      parts.push(part);
    }
  } catch (error) {
    throw LimpetError.from(error, 'unavailable');
  }
  return parts.join('');
}
