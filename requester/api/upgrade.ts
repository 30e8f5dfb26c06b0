/**
 * WebSockets beside the app. A request for one goes through the app like every other, with `takeSocket` in its bindings, so
 * that the same guards stand before it; a route that does not take the socket has its answer sent in place of it. Other
 * upgrades, and those of other paths, are not taken for one: HTTP lets a server answer as if nobody had asked.
 */
import type { EventEmitter } from 'node:events';
import { IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Hono } from 'hono';
import { WebSocketServer, type WebSocket } from 'ws';
import { messageOf } from '../../core/errors.ts';
import type { ApiEnv } from './route-table.ts';

/** Clients say nothing. */
const MOST_INPUT_BYTES = 4096;
const GOING_AWAY = 1001;

/** Requests of a server whose WebSockets are at `paths`. */
export function requestsWithSockets(paths: RegExp): typeof IncomingMessage {
  return class extends IncomingMessage {
    #asked = false;

    // The parser tells it, and asks for it when it has read the headers. The class above sets it, too, before #asked is there.
    get upgrade(): boolean {
      if (!(#asked in this) || !this.#asked) return false;
      return this.headers.upgrade?.toLowerCase() === 'websocket' && paths.test(this.url ?? '');
    }

    set upgrade(asked: boolean) {
      if (#asked in this) this.#asked = asked;
    }
  };
}

export class Sockets {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MOST_INPUT_BYTES });

  serve(server: EventEmitter, app: Hono<ApiEnv>): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      let isTaken = false;
      const takeSocket = (): Promise<WebSocket> => {
        isTaken = true;
        return new Promise((resolve) => this.#server.handleUpgrade(request, socket, head, resolve));
      };
      const answering = Promise.resolve()
        .then(() => app.fetch(requestOf(request), { incoming: request, takeSocket }))
        .catch((thrown: unknown) => new Response(messageOf(thrown), { status: 400 }));
      void answering.then((answer) => (isTaken ? undefined : refuse(socket, answer)));
    });
  }

  goAway(): void {
    for (const socket of this.#server.clients) socket.close(GOING_AWAY);
  }

  cut(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }
}

function requestOf({ url = '/', headers }: IncomingMessage): Request {
  const plain = new Headers();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) plain.set(name, [value].flat().join(', '));
  return new Request(new URL(url, `http://${headers.host ?? 'localhost'}`), { headers: plain });
}

async function refuse(socket: Duplex, answer: Response): Promise<void> {
  const body = Buffer.from(await answer.arrayBuffer());
  const { status } = answer;
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'connection: close'];
  for (const [name, value] of answer.headers)
    if (name !== 'content-length' && name !== 'connection') head.push(`${name}: ${value}`);
  head.push(`content-length: ${body.length}`, '', '');
  if (!socket.destroyed) socket.end(Buffer.concat([Buffer.from(head.join('\r\n')), body]));
}
