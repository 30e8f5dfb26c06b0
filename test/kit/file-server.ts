/** A web server on loopback whose every answer the test writes. */
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Certified } from '../../adapters/authority/certificate.ts';
import type { Teardown } from './teardown.ts';

export interface FileServer {
  /** `http://127.0.0.1:PORT`, https with a certificate */
  readonly url: string;
  readonly port: number;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  readonly requests: readonly IncomingMessage[];
}

export async function fileServer(
  t: Teardown,
  answers: Readonly<Record<string, (response: ServerResponse, request: IncomingMessage) => void>>,
  tls?: Certified,
): Promise<FileServer> {
  const asked: string[] = [];
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    requests.push(request);
    const answer = answers[path.split('?')[0] ?? ''];
    if (answer === undefined) response.writeHead(404).end();
    else answer(response, request);
  };
  const server =
    tls === undefined
      ? http.createServer(listener)
      : https.createServer({ cert: tls.certificate, key: tls.key }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  const { port } = address;
  const scheme = tls === undefined ? 'http' : 'https';
  return { url: `${scheme}://127.0.0.1:${port}`, port, asked, requests };
}
