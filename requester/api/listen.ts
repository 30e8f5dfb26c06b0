/** The HTTP or HTTPS server under the app. */
import { serve, type ServerType } from '@hono/node-server';
import type { Hono } from 'hono';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Config } from '../config.ts';
import { localName, readTls, type ServerTls } from './tls.ts';
import { LOG_SOCKETS } from './log-socket.ts';
import type { ApiEnv } from './route-table.ts';
import { requestsWithSockets, Sockets } from './upgrade.ts';

export interface Listening {
  readonly url: string;
  /** Not undefined: the name of `url` is not one that the certificate is for. */
  readonly misnamed: string | undefined;
  /** Takes the certificate and key that the files hold now, for new connections. Errors: `invalid-config`; the old ones stay. */
  readonly renewCertificate: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** How long requests that run get to end when the server stops; streams are cut. */
const GRACE_MS = 500;

/** Errors: `unavailable` when the port is taken, `invalid-config` when a file of http.tls is not as it should be. */
export async function listen(app: Hono<ApiEnv>, config: Config['http']): Promise<Listening> {
  const { host, tls } = config;
  const secret = tls === undefined ? undefined : await readTls(tls);
  const { server, port } = await open(app, config, secret);
  const sockets = new Sockets();
  sockets.serve(server, app);
  const known = secret === undefined ? host : localName(secret.cert, config);
  const name = known ?? host;
  return {
    url: `${secret === undefined ? 'http' : 'https'}://${inUrl(name)}:${port}`,
    misnamed:
      known === undefined ? `the certificate in ${tls?.certFile} is not for ${name}` : undefined,
    renewCertificate: async () => {
      if (tls !== undefined && 'setSecureContext' in server)
        server.setSecureContext({ ...(await readTls(tls)) });
    },
    close: () => close(server, sockets),
  };
}

/** An IPv6 address stands in brackets. */
export function inUrl(place: string): string {
  return place.includes(':') && !place.startsWith('[') ? `[${place}]` : place;
}

async function open(
  app: Hono<ApiEnv>,
  { host, port }: Config['http'],
  secret: ServerTls | undefined,
): Promise<{ readonly server: ServerType; readonly port: number }> {
  const at = { fetch: app.fetch, hostname: host, port };
  const options = { IncomingMessage: requestsWithSockets(LOG_SOCKETS) };
  const how =
    secret === undefined
      ? { ...at, serverOptions: options }
      : {
          ...at,
          createServer: (await import('node:https')).createServer,
          serverOptions: { ...options, ...secret },
        };
  return new Promise((resolve, reject) => {
    const server = serve(how, (info) => resolve({ server, port: info.port }));
    server.once('error', (error) =>
      reject(
        new LimpetError('unavailable', `cannot listen on ${host}:${port}: ${messageOf(error)}`, {
          cause: error,
        }),
      ),
    );
  });
}

async function close(server: ServerType, sockets: Sockets): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  sockets.goAway();
  const cut = setTimeout(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    sockets.cut();
  }, GRACE_MS);
  await closed;
  clearTimeout(cut);
}
