/**
 * One GET, its redirects followed. Every hop is checked like the first; a download that began with https never goes on
 * without it. No cookies, no proxy, no kept connection; the body is as it was sent (no encoding is asked for or undone).
 *
 * Errors: `refused` (another attempt would not help), `unavailable` and `timeout` (it may), `cancelled`.
 */
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { SecureContext } from 'node:tls';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { isWeb } from '../../core/url-source.ts';
import type { Destinations } from './destinations.ts';

export interface FetchLimits {
  /** From the request to a connection, with TLS. */
  readonly connectMs: number;
  /** Without a byte. */
  readonly idleMs: number;
  readonly maxRedirects: number;
}

export interface FetchOrder {
  readonly url: URL;
  readonly destinations: Destinations;
  readonly limits: FetchLimits;
  readonly signal: AbortSignal;
  /** For https; missing: the authorities of Node. */
  readonly trust?: () => Promise<SecureContext>;
}

export interface Fetched {
  /** Of the last hop. */
  readonly url: URL;
  readonly body: IncomingMessage;
  readonly contentLength: number | undefined;
}

const REDIRECTS = [301, 302, 303, 307, 308];
const TRY_AGAIN = [408, 425, 429];
/** Errors of TLS that another attempt does not mend. */
const TLS_REFUSALS = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL/;

/** Host and path: what follows may be a signature. */
export function shownUrl({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

export async function fetchUrl(order: FetchOrder): Promise<Fetched> {
  let { url } = order;
  for (let hops = 0; ; hops++) {
    const body = await get(url, order);
    const status = body.statusCode ?? 0;
    if (status >= 200 && status < 300) return { url, body, contentLength: lengthOf(body) };
    body.destroy();
    if (!REDIRECTS.includes(status)) throw unexpected(url, status);
    if (hops >= order.limits.maxRedirects)
      throw new LimpetError(
        'refused',
        `${shownUrl(order.url)}: more than ${order.limits.maxRedirects} redirects`,
      );
    url = nextHop(url, body.headers.location, order.url.protocol === 'https:');
  }
}

/** Errors: `refused`. */
export function nextHop(from: URL, location: string | undefined, needsTls: boolean): URL {
  const refuse = (why: string): never => {
    throw new LimpetError('refused', `${shownUrl(from)} redirects ${why}`);
  };
  if (location === undefined || !URL.canParse(location, from.href)) return refuse('to nowhere');
  const to = new URL(location, from);
  if (!isWeb(to)) return refuse(`to a ${to.protocol} URL; only http and https are followed`);
  if (to.username !== '' || to.password !== '') return refuse('to a URL with user or password');
  if (needsTls && to.protocol !== 'https:')
    return refuse(`from https to ${shownUrl(to)}, which is not encrypted`);
  return to;
}

async function get(
  url: URL,
  { destinations, limits, signal, trust }: FetchOrder,
): Promise<IncomingMessage> {
  destinations.checkHost(url.hostname);
  const secureContext = url.protocol === 'https:' ? await trust?.() : undefined;
  const { request } = url.protocol === 'https:' ? https : http;
  const options = {
    agent: false as const,
    lookup: destinations.lookup,
    signal,
    ...(secureContext === undefined ? {} : { secureContext }),
    headers: { 'user-agent': 'limpet', accept: '*/*', 'accept-encoding': 'identity' },
  };
  return new Promise((resolve, reject) => {
    const answered: { body?: IncomingMessage } = {};
    const sent = request(url, options, (body) => {
      answered.body = body;
      resolve(body);
    });
    const fail = (what: string) => (): void => {
      (answered.body ?? sent).destroy(new LimpetError('timeout', `${shownUrl(url)}: ${what}`));
    };
    onConnected(sent, url, {
      ms: limits.connectMs,
      late: fail(`no connection within ${limits.connectMs} ms`),
    });
    sent.setTimeout(limits.idleMs, fail(`silent for ${limits.idleMs} ms`));
    sent.on('error', (thrown) => reject(fetchError(url, thrown)));
    sent.end();
  });
}

function onConnected(
  sent: ClientRequest,
  url: URL,
  { ms, late }: { readonly ms: number; readonly late: () => void },
): void {
  const timer = setTimeout(late, ms);
  sent.once('close', () => clearTimeout(timer));
  sent.once('socket', (socket) =>
    socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => clearTimeout(timer)),
  );
}

/** As anything that went wrong on the way is told. */
export function fetchError(url: URL, thrown: unknown): LimpetError {
  if (thrown instanceof LimpetError) return thrown;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  if (code === 'ABORT_ERR') return new LimpetError('cancelled', 'the download was cancelled');
  const kind = TLS_REFUSALS.test(code) || code.startsWith('HPE_') ? 'refused' : 'unavailable';
  const why = { ECONNRESET: 'the connection was broken off', ECONNREFUSED: 'connection refused' };
  const told = Object.hasOwn(why, code) ? why[code as keyof typeof why] : messageOf(thrown);
  return new LimpetError(kind, `${shownUrl(url)}: ${told}`, { cause: thrown });
}

function unexpected(url: URL, status: number): LimpetError {
  const again = status >= 500 || TRY_AGAIN.includes(status);
  const name = http.STATUS_CODES[status];
  const told = name === undefined ? String(status) : `${status} ${name}`;
  return new LimpetError(again ? 'unavailable' : 'refused', `${shownUrl(url)} answered ${told}`);
}

function lengthOf({ headers }: IncomingMessage): number | undefined {
  const length = Number(headers['content-length']);
  return headers['content-length'] === undefined || !Number.isSafeInteger(length)
    ? undefined
    : length;
}
