/**
 * One client of the dev broker. What it has not read yet is bounded: above `maxPendingBytes` it is a slow consumer and is
 * cut, so that it can hold back nobody else.
 */
import type { Socket } from 'node:net';
import { assertNever } from '../../core/errors.ts';
import type { Permissions } from '../../wire/permissions.ts';
import { CONNECT_DEFAULTS, type ConnectOptions, type Frame } from './control-line.ts';
import { Grant } from './grant.ts';
import { FrameParser } from './parser.ts';
import { ProtocolError } from './protocol-error.ts';
import { covers, isLiteralSubject, isSubject } from './subjects.ts';

export interface Message {
  readonly subject: string;
  readonly reply: string;
  readonly headerBytes: number;
  readonly payload: Buffer;
}

export interface ClientSubscription {
  readonly connection: Connection;
  readonly subject: string;
  readonly queue: string;
  readonly sid: string;
  delivered: number;
  /** 0: no limit. */
  max: number;
}

export interface ConnectionLimits {
  readonly maxPayloadBytes: number;
  readonly maxPendingBytes: number;
  readonly pingIntervalMs: number;
  readonly maxPingsOut: number;
  readonly authTimeoutMs: number;
}

/** false: not let in; true: let in, to do everything. */
export type Authorize = (user: string, password: string) => boolean | Permissions;

/** What a connection asks of its broker. */
export interface Hub {
  readonly limits: ConnectionLimits;
  /** undefined: everybody may do everything. */
  readonly authorize: Authorize | undefined;
  subscribed(subscription: ClientSubscription): void;
  unsubscribed(subscription: ClientSubscription): void;
  /** True when at least one subscription took it. */
  route(from: Connection, message: Message): boolean;
  ended(connection: Connection): void;
}

/** How long a refused client may take to read why. */
const LAST_WORD_MS = 1_000;
const CRLF = Buffer.from('\r\n');
const NO_RESPONDERS = Buffer.from('NATS/1.0 503\r\n\r\n');

export class Connection {
  readonly #socket: Socket;
  readonly #hub: Hub;
  readonly #parser: FrameParser;
  readonly #subscriptions = new Map<string, ClientSubscription>();
  readonly #pings: NodeJS.Timeout;
  readonly #authDeadline: NodeJS.Timeout | undefined;
  #options: ConnectOptions = CONNECT_DEFAULTS;
  #authorized: boolean;
  /** undefined: everything. */
  #grant: Grant | undefined;
  #pingsOut = 0;
  #corked = false;
  #ended = false;

  constructor(socket: Socket, hub: Hub) {
    this.#socket = socket;
    this.#hub = hub;
    this.#parser = new FrameParser(hub.limits.maxPayloadBytes);
    this.#authorized = hub.authorize === undefined;
    this.#pings = setInterval(() => this.#pingTimer(), hub.limits.pingIntervalMs);
    if (!this.#authorized) {
      this.#authDeadline = setTimeout(
        () => this.#fail('Authentication Timeout'),
        hub.limits.authTimeoutMs,
      );
    }
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => this.end());
    socket.on('close', () => this.end());
  }

  get wantsEcho(): boolean {
    return this.#options.echo;
  }

  greet(info: object): void {
    this.#write(Buffer.from(`INFO ${JSON.stringify(info)}\r\n`));
  }

  deliver(to: ClientSubscription, message: Message): void {
    to.delivered += 1;
    if (to.max > 0 && to.delivered >= to.max) this.#drop(to);
    this.#grant?.asked(message.reply);
    this.#send(to.sid, message);
  }

  /** Cuts the connection without a word. */
  end(): void {
    this.#detach();
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      for (const frame of this.#parser.feed(chunk)) {
        if (this.#ended) return;
        this.#take(frame);
      }
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      this.#fail(
        this.#authorized || thrown.message === '' ? thrown.message : 'Authorization Violation',
      );
    }
  }

  #take(frame: Frame): void {
    if (!this.#authorized && frame.op !== 'CONNECT')
      throw new ProtocolError('Authorization Violation');
    switch (frame.op) {
      case 'CONNECT':
        return this.#connect(frame.options);
      case 'PING':
        return this.#write(Buffer.from('PONG\r\n'));
      case 'PONG':
        this.#pingsOut = 0;
        return;
      case 'SUB':
        return this.#subscribe(frame.subject, frame.queue, frame.sid);
      case 'UNSUB':
        return this.#unsubscribe(frame.sid, frame.max);
      case 'PUB':
        return this.#publish(frame);
      default:
        return assertNever(frame);
    }
  }

  #connect(options: ConnectOptions): void {
    this.#options = options;
    const allowed = this.#hub.authorize?.(options.user, options.pass) ?? true;
    if (allowed === false) throw new ProtocolError('Authorization Violation');
    this.#grant = allowed === true ? undefined : new Grant(allowed);
    if (options.no_responders && !options.headers) {
      throw new ProtocolError('no responders requires headers support');
    }
    this.#authorized = true;
    clearTimeout(this.#authDeadline);
    this.#ok();
  }

  #subscribe(subject: string, queue: string, sid: string): void {
    if (!isSubject(subject)) {
      this.#error('Invalid Subject');
      return;
    }
    if (this.#grant?.maySubscribe(subject) === false) {
      const group = queue === '' ? '' : ` using queue "${queue}"`;
      this.#error(`Permissions Violation for Subscription to "${subject}"${group}`);
      return;
    }
    if (!this.#subscriptions.has(sid)) {
      const subscription = { connection: this, subject, queue, sid, delivered: 0, max: 0 };
      this.#subscriptions.set(sid, subscription);
      this.#hub.subscribed(subscription);
    }
    this.#ok();
  }

  #unsubscribe(sid: string, max: number): void {
    const subscription = this.#subscriptions.get(sid);
    if (subscription !== undefined) {
      if (max > subscription.delivered) subscription.max = max;
      else this.#drop(subscription);
    }
    this.#ok();
  }

  #publish(frame: Extract<Frame, { op: 'PUB' }>): void {
    if (frame.hasHeaders && !this.#options.headers) {
      throw new ProtocolError('');
    }
    if (this.#options.pedantic && !isLiteralSubject(frame.subject))
      this.#error('Invalid Publish Subject');
    if (this.#grant?.mayPublish(frame.subject) === false) {
      this.#error(`Permissions Violation for Publish to "${frame.subject}"`);
      return;
    }
    this.#ok();
    if (this.#hub.route(this, frame) || frame.reply === '' || !this.#options.no_responders) return;
    const inbox = [...this.#subscriptions.values()].find((own) => covers(own.subject, frame.reply));
    if (inbox === undefined) return;
    const headerBytes = NO_RESPONDERS.length;
    this.deliver(inbox, { subject: frame.reply, reply: '', headerBytes, payload: NO_RESPONDERS });
  }

  #drop(subscription: ClientSubscription): void {
    this.#subscriptions.delete(subscription.sid);
    this.#hub.unsubscribed(subscription);
  }

  #send(sid: string, message: Message): void {
    const reply = message.reply === '' ? '' : `${message.reply} `;
    const { headerBytes, payload, subject } = message;
    if (headerBytes > 0 && this.#options.headers) {
      this.#write(
        Buffer.from(`HMSG ${subject} ${sid} ${reply}${headerBytes} ${payload.length}\r\n`),
      );
      this.#write(payload);
    } else {
      const body = payload.subarray(headerBytes);
      this.#write(Buffer.from(`MSG ${subject} ${sid} ${reply}${body.length}\r\n`));
      this.#write(body);
    }
    this.#write(CRLF);
  }

  #ok(): void {
    if (this.#options.verbose) this.#write(Buffer.from('+OK\r\n'));
  }

  #error(message: string): void {
    this.#write(Buffer.from(`-ERR '${message}'\r\n`));
  }

  #pingTimer(): void {
    if (this.#pingsOut >= this.#hub.limits.maxPingsOut) {
      this.#fail('Stale Connection');
      return;
    }
    this.#pingsOut += 1;
    this.#write(Buffer.from('PING\r\n'));
  }

  /** Says why, then ends; bytes that are on their way go out first. */
  #fail(message: string): void {
    if (this.#ended) return;
    if (message !== '') this.#error(message);
    this.#socket.setTimeout(LAST_WORD_MS, () => this.#socket.destroy());
    this.#socket.end();
    this.#detach();
  }

  #detach(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#pings);
    clearTimeout(this.#authDeadline);
    for (const subscription of this.#subscriptions.values()) this.#hub.unsubscribed(subscription);
    this.#subscriptions.clear();
    this.#hub.ended(this);
  }

  /** Writes of one turn go out together. */
  #write(bytes: Buffer): void {
    if (this.#ended) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
    if (this.#socket.writableLength > this.#hub.limits.maxPendingBytes) this.end();
  }
}
