/** A web server on loopback whose every answer the test writes. */
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { Teardown } from './teardown.ts';

export interface FileServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  readonly requests: readonly IncomingMessage[];
}

export async function fileServer(
  t: Teardown,
  answers: Readonly<Record<string, (response: ServerResponse, request: IncomingMessage) => void>>,
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
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  const { port } = address;
  return { url: `http://127.0.0.1:${port}`, port, asked, requests };
}
