/**
 * The agent's link against a requester by script: what a session may still bring once a handshake is under way. After a
 * handshake the owner goes by the position that it told; rows of an earlier self of the owner must not move it.
 */
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { connectTransport } from '../../adapters/nats/nats-transport.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import {
  handshakeSchema,
  heartbeatSchema,
  PROTOCOL_VERSION,
  pushAnswerSchema,
  pushSchema,
  type Handshake,
  type HandshakeAnswer,
  type HeartbeatAnswer,
  type Push,
  type PushAnswer,
} from '../../wire/messages.ts';
import { parseNodeId } from '../../core/ids.ts';
import { toAgent, toRequester } from '../../wire/subjects.ts';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { programDir } from '../kit/program-dir.ts';
import type { Teardown } from '../kit/teardown.ts';
import { TestAgent } from '../kit/test-agent.ts';

t.setTimeout(120_000);
const skip = natsServerSkip();

t.test('while a handshake is under way no earlier session brings orders', { skip }, async (t) => {
  const { requester } = await linked(t);
  const before = requester.session;
  requester.answers = false;
  const lost = await requester.askForHandshake();
  t.match(await requester.push(before, 1), { type: 'handshake-required' });
  requester.answers = true;
  const next = await eventually('the next handshake', () => requester.after(lost));
  t.equal(next.link.peerCursor, lost.link.peerCursor, 'what the lost one told is still true');
  await eventually('the session of it', () => requester.session !== before);
  t.match(await requester.push(requester.session, 1), { type: 'ack', cursor: 1 });
});

t.test('a handshake tells of the orders that came before it', { skip }, async (t) => {
  const { requester } = await linked(t);
  for (let seq = 1; seq <= 10; seq++) {
    const taken = requester.push(requester.session, seq);
    const [answer, shaken] = await Promise.all([taken, requester.askForHandshake()]);
    t.match(answer, { type: 'ack', cursor: seq });
    t.equal(shaken.link.peerCursor, seq);
    await eventually('its session', () => requester.session === shaken.attempt);
  }
});

async function linked(t: Teardown): Promise<{ readonly requester: ScriptedRequester }> {
  const { url } = await startNatsServer(t);
  const agent = new TestAgent(join(programDir(t), 'agent'), {
    nats: { servers: [url], requestTimeoutMs: 1_000 },
    executors: { docker: { enabled: false }, wasm: { enabled: false } },
  });
  t.teardown(() => agent.kill());
  const requester = await ScriptedRequester.start(t, url);
  await agent.start();
  await eventually('the first heartbeat', () => requester.session);
  return { requester };
}

const WAIT_MS = 20_000;

class ScriptedRequester {
  /** Whether it answers handshakes. */
  answers = true;
  /** That of the last heartbeat: the node has read the answer to its handshake. */
  session = '';
  readonly #handshakes: Handshake[] = [];
  readonly #transport: Transport;
  #taken = 0;

  private constructor(transport: Transport) {
    this.#transport = transport;
    transport.subscribe(toRequester('*', 'Handshake'), ({ payload }) => {
      const handshake = handshakeSchema.parse(decode(payload));
      this.#handshakes.push(handshake);
      return this.answers ? encode(this.#accept(handshake)) : undefined;
    });
    const ok: HeartbeatAnswer = { type: 'ok', heartbeatIntervalMs: 60_000, stop: [] };
    transport.subscribe(toRequester('*', 'Heartbeat'), ({ payload }) => {
      this.session = heartbeatSchema.parse(decode(payload)).session;
      return encode(ok);
    });
    transport.subscribe(toRequester('*', 'Push'), ({ payload }) => {
      this.#taken = pushSchema.parse(decode(payload)).rows.at(-1)?.seq ?? this.#taken;
      return encode({ type: 'ack', cursor: this.#taken } satisfies PushAnswer);
    });
  }

  static async start(t: Teardown, url: string): Promise<ScriptedRequester> {
    const transport = await connectTransport(
      { servers: [url], name: 'scripted requester', inboxPrefix: '_INBOX.requester' },
      silentLog,
    );
    t.teardown(() => transport[Symbol.asyncDispose]());
    return new ScriptedRequester(transport);
  }

  /** The handshake that came after this one. */
  after(handshake: Handshake | undefined): Handshake | undefined {
    return this.#handshakes[handshake === undefined ? 0 : this.#handshakes.indexOf(handshake) + 1];
  }

  /** As a requester does that has just been started. */
  async askForHandshake(): Promise<Handshake> {
    const last = this.#handshakes.at(-1);
    await this.#send({ session: '', after: 0, rows: [] });
    return eventually('the handshake', () => this.after(last), WAIT_MS);
  }

  /** One row: the stop of something that the node does not have. */
  push(session: string, seq: number): Promise<PushAnswer> {
    const executionId = 'e-01890000-0000-7000-8000-000000000000';
    const body = { type: 'stop', executionId, reason: 'the script stops it' };
    return this.#send({ session, after: seq - 1, rows: [{ seq, body }] });
  }

  async #send(push: Pick<Push, 'session' | 'after' | 'rows'>): Promise<PushAnswer> {
    const { nodeId = '' } = this.#handshakes.at(-1)?.node ?? {};
    const subject = toAgent(parseNodeId(nodeId), 'Push');
    const whole: Push = { v: PROTOCOL_VERSION, incarnation: 'one', ...push };
    return pushAnswerSchema.parse(
      decode(await this.#transport.request(subject, encode(whole), WAIT_MS)),
    );
  }

  #accept({ link, attempt = '' }: Handshake): HandshakeAnswer {
    const peer = { peerIncarnation: link.incarnation, peerCursor: this.#taken };
    return {
      type: 'accepted',
      v: PROTOCOL_VERSION,
      ...{ requesterId: 'r-scripted', epoch: 'one', session: attempt },
      link: { incarnation: 'one', lastSeq: 0, ...peer },
      ...{ heartbeatIntervalMs: 60_000, unknown: [] },
    };
  }
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function decode(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}
