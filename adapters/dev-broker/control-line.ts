/** One control line to one frame. Operation names match without regard to case, as in nats-server. */
import { z } from 'zod';
import { ProtocolError } from './protocol-error.ts';

/** What nats-server assumes for a field that CONNECT omits, or when there is no CONNECT at all. */
const connectSchema = z.object({
  verbose: z.boolean().default(true),
  pedantic: z.boolean().default(true),
  echo: z.boolean().default(true),
  headers: z.boolean().default(false),
  no_responders: z.boolean().default(false),
  user: z.string().default(''),
  pass: z.string().default(''),
  name: z.string().default(''),
});
export type ConnectOptions = z.infer<typeof connectSchema>;

export const CONNECT_DEFAULTS: ConnectOptions = connectSchema.parse({});

interface PubControl {
  readonly op: 'PUB';
  readonly subject: string;
  readonly reply: string;
  /** Of the payload's head, headers; 0 for PUB. */
  readonly headerBytes: number;
  readonly hasHeaders: boolean;
  readonly payloadBytes: number;
}

export type Control =
  | { readonly op: 'CONNECT'; readonly options: ConnectOptions }
  | { readonly op: 'PING' }
  | { readonly op: 'PONG' }
  | { readonly op: 'SUB'; readonly subject: string; readonly queue: string; readonly sid: string }
  | { readonly op: 'UNSUB'; readonly sid: string; readonly max: number }
  | PubControl;

export type Frame = Exclude<Control, PubControl> | (PubControl & { readonly payload: Buffer });

export function parseLine(line: string): Control {
  const [first = '', ...args] = line.split(/[ \t]+/).filter((word) => word !== '');
  switch (first.toUpperCase()) {
    case 'PING':
      return { op: 'PING' };
    case 'PONG':
      return { op: 'PONG' };
    case 'CONNECT':
      return {
        op: 'CONNECT',
        options: connectOptions(line.slice(line.indexOf(first) + first.length)),
      };
    case 'SUB':
      return subscribe(args);
    case 'UNSUB':
      return unsubscribe(args);
    case 'PUB':
      return publish(args, false);
    case 'HPUB':
      return publish(args, true);
    default:
      throw new ProtocolError('Unknown Protocol Operation');
  }
}

function connectOptions(text: string): ConnectOptions {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ProtocolError('');
  }
  const parsed = connectSchema.safeParse(json);
  if (!parsed.success) throw new ProtocolError('');
  return parsed.data;
}

function subscribe(args: readonly string[]): Control {
  const [subject, second, third] = args;
  if (args.length === 2 && subject !== undefined && second !== undefined) {
    return { op: 'SUB', subject, queue: '', sid: second };
  }
  if (args.length === 3 && subject !== undefined && second !== undefined && third !== undefined) {
    return { op: 'SUB', subject, queue: second, sid: third };
  }
  throw new ProtocolError('');
}

function unsubscribe(args: readonly string[]): Control {
  const [sid, max] = args;
  if (sid === undefined || args.length > 2) throw new ProtocolError('');
  return { op: 'UNSUB', sid, max: max === undefined ? 0 : size(max) };
}

/** PUB subject [reply] size; HPUB subject [reply] header-size size. */
function publish(args: readonly string[], hasHeaders: boolean): Control {
  const numbers = hasHeaders ? 2 : 1;
  const names = args.slice(0, -numbers);
  const [subject, reply = ''] = names;
  if (subject === undefined || names.length > 2) throw new ProtocolError('');
  const payloadBytes = size(args.at(-1));
  const headerBytes = hasHeaders ? size(args.at(-2)) : 0;
  if (headerBytes > payloadBytes) throw new ProtocolError('');
  return { op: 'PUB', subject, reply, headerBytes, hasHeaders, payloadBytes };
}

function size(text: string | undefined): number {
  if (text === undefined || !/^\d{1,10}$/.test(text)) throw new ProtocolError('');
  return Number(text);
}
