/** The three questions that an agent has for its requester, each with its answer parsed; and its pushes, taken apart. */
import type { Transport } from '../../adapters/nats/port.ts';
import type { NodeId } from '../../core/ids.ts';
import {
  handshakeAnswerSchema,
  heartbeatAnswerSchema,
  pushAnswerSchema,
  pushSchema,
  type Handshake,
  type HandshakeAnswer,
  type Heartbeat,
  type HeartbeatAnswer,
  type Push,
  type PushAnswer,
} from '../../wire/messages.ts';
import { toRequester } from '../../wire/subjects.ts';

export interface CallsDeps {
  readonly transport: Transport;
  readonly nodeId: NodeId;
  readonly timeoutMs: number;
}

/** Every call may fail as the transport does: `timeout`, `unavailable`, `permission-denied`. */
export class RequesterCalls {
  readonly #deps: CallsDeps;

  constructor(deps: CallsDeps) {
    this.#deps = deps;
  }

  async handshake(hello: Handshake): Promise<HandshakeAnswer> {
    return handshakeAnswerSchema.parse(await this.#ask('Handshake', hello));
  }

  async heartbeat(beat: Heartbeat): Promise<HeartbeatAnswer> {
    return heartbeatAnswerSchema.parse(await this.#ask('Heartbeat', beat));
  }

  async push(push: Push): Promise<PushAnswer> {
    return pushAnswerSchema.parse(await this.#ask('Push', push));
  }

  async #ask(method: 'Handshake' | 'Heartbeat' | 'Push', body: unknown): Promise<unknown> {
    const { transport, nodeId, timeoutMs } = this.#deps;
    return decode(await transport.request(toRequester(nodeId, method), encode(body), timeoutMs));
  }
}

export function readPush(payload: Uint8Array): Push {
  return pushSchema.parse(decode(payload));
}

export function writePushAnswer(answer: PushAnswer): Uint8Array {
  return encode(answer);
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function decode(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload).toString()) as unknown;
}
