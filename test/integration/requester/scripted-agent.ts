/**
 * An agent by script: it speaks the wire over a real broker, with the real link on both ends, and runs nothing. It keeps
 * what it was told (placements, stops) and tells what the test says.
 */
import { systemClock } from '../../../adapters/clock/system-clock.ts';
import { Inbox, type Applied } from '../../../adapters/link/inbox.ts';
import { Outbox } from '../../../adapters/link/outbox.ts';
import { LinkSender } from '../../../adapters/link/sender.ts';
import { silentLog } from '../../../adapters/log/silent-log.ts';
import { connectTransport } from '../../../adapters/nats/nats-transport.ts';
import type { Transport, TransportOptions } from '../../../adapters/nats/port.ts';
import { openMemoryStore } from '../../../adapters/store/memory-store.ts';
import type { Store } from '../../../adapters/store/port.ts';
import { createStreamServer } from '../../../adapters/streams/stream-server.ts';
import type { ExecutionState } from '../../../core/execution/states.ts';
import { isTerminal } from '../../../core/execution/states.ts';
import { parseNodeId, type NodeId } from '../../../core/ids.ts';
import { NO_RESOURCES } from '../../../core/resources.ts';
import {
  handshakeAnswerSchema,
  heartbeatAnswerSchema,
  logsRequestSchema,
  PROTOCOL_VERSION,
  pushAnswerSchema,
  pushSchema,
  requesterRowSchema,
  type ExecutionReport,
  type Handshake,
  type HandshakeAnswer,
  type Heartbeat,
  type HeartbeatAnswer,
  type Push,
  type PushAnswer,
} from '../../../wire/messages.ts';
import { fromBytes, toBytes } from '../../../requester/nodes/json-bytes.ts';
import { inboxPrefix, toAgent, toRequester } from '../../../wire/subjects.ts';
import type { Teardown } from '../../kit/teardown.ts';
import { infoOf, listOf, reportOf, reportToken, type Held } from './agent-words.ts';
import { logItems } from './scripted-log.ts';

export type Behaviour = 'complete' | 'hold' | 'decline';

export interface AgentOptions {
  readonly natsUrl: string;
  readonly nodeId: string;
  readonly behaviour: Behaviour;
  /** How it shows the broker who it is, and by what it knows the broker. */
  readonly broker?: Pick<TransportOptions, 'credentials' | 'tls'>;
  readonly cpuMillis?: number;
  /** What the log of every execution is, from the given offset; a text that begins with `gap ` is a gap. */
  readonly log?: (fromOffset: number) => AsyncIterable<string>;
}

const HEARTBEAT_MS = 200;

export class ScriptedAgent {
  readonly nodeId: NodeId;
  readonly executions = new Map<string, Held>();
  /** Every place row that was taken, in order. */
  readonly placements: { readonly executionId: string; readonly at: number }[] = [];
  readonly stops: string[] = [];
  readonly handshakes: HandshakeAnswer[] = [];
  readonly heartbeats: HeartbeatAnswer[] = [];
  /** Silent: no heartbeats, no handshakes. */
  silent = false;
  /** What it sends in place of a handshake. */
  handshakeSays = (message: Handshake): Handshake => message;
  /** What it says of its executors from the next heartbeat on, and the schemas that it sends along. */
  executorsSay: Pick<Heartbeat, 'executors' | 'schemas'> | undefined;
  /** How many pushes it still refuses, as of an unknown session, and goes on as if nothing had happened. */
  refusals = 0;
  readonly #options: AgentOptions;
  readonly #transport: Transport;
  readonly #store: Store;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #sender: LinkSender;
  readonly #startedAt = Date.now();
  readonly #timer: NodeJS.Timeout;
  #session = '';
  #busy = false;
  #shaken: Promise<void> = Promise.resolve();

  private constructor(
    options: AgentOptions,
    parts: { transport: Transport; store: Store; outbox: Outbox; inbox: Inbox },
  ) {
    this.nodeId = parseNodeId(options.nodeId);
    this.#options = options;
    this.#transport = parts.transport;
    this.#store = parts.store;
    this.#outbox = parts.outbox;
    this.#inbox = parts.inbox;
    this.#sender = new LinkSender({
      outbox: parts.outbox,
      clock: systemClock(),
      log: silentLog,
      limit: { rows: 50, bytes: 256 * 1024 },
      send: (push) => this.pushRaw(push),
      onHandshakeRequired: () => (this.#session = ''),
    });
    this.#serve();
    this.#timer = setInterval(() => void this.#beat(), HEARTBEAT_MS);
  }

  static async start(t: Teardown, options: AgentOptions): Promise<ScriptedAgent> {
    const nodeId = parseNodeId(options.nodeId);
    const transport = await connectTransport(
      {
        servers: [options.natsUrl],
        name: 'scripted agent',
        inboxPrefix: inboxPrefix(nodeId),
        ...options.broker,
      },
      silentLog,
    );
    const store = await openMemoryStore();
    const outbox = await Outbox.load(store, 'out/', () => `agent-${Math.random()}`);
    const inbox = await Inbox.load(store, 'in/');
    const agent = new ScriptedAgent(options, { transport, store, outbox, inbox });
    t.teardown(() => agent.stop());
    return agent;
  }

  get connected(): boolean {
    return this.#transport.connected;
  }

  get session(): string {
    return this.#session;
  }

  /** Whether every report was acknowledged. */
  get acknowledged(): boolean {
    return this.#outbox.idle;
  }

  get incarnation(): string {
    return this.#outbox.incarnation;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#sender.close();
    await this.#transport[Symbol.asyncDispose]();
  }

  /** Sends a push as it is and answers what the requester says. */
  async pushRaw(push: Push): Promise<PushAnswer> {
    return pushAnswerSchema.parse(await this.#ask('Push', push));
  }

  /** Moves an execution on, in order and exactly once as far as the link goes. */
  async report(
    executionId: string,
    state: ExecutionState,
    more: Partial<ExecutionReport> = {},
  ): Promise<void> {
    const held = this.executions.get(executionId);
    if (held === undefined || isTerminal(held.state)) return;
    const next = { ...held, state, revision: held.revision + 1 };
    this.executions.set(executionId, next);
    await this.#store.batch(
      this.#outbox.append([{ type: 'report', report: reportOf(executionId, next, more) }]),
    );
    this.#sender.wake();
  }

  /** As if the node had never had it. */
  forget(executionId: string): void {
    this.executions.delete(executionId);
  }

  /** The next heartbeat begins with a handshake. */
  handshakeAgain(): void {
    this.#session = '';
  }

  #serve(): void {
    this.#transport.subscribe(toAgent(this.nodeId, 'Push'), async (message) => {
      const push = pushSchema.parse(fromBytes(message.payload));
      // The requester may send as soon as it has accepted, before its answer is read here.
      await Promise.allSettled([this.#shaken]);
      const answer: PushAnswer =
        push.session === this.#session && this.refusals-- <= 0
          ? await this.#inbox.receive(push, { apply: (rows) => this.#apply(rows) })
          : { type: 'handshake-required', reason: 'another session' };
      return toBytes(answer);
    });
    const { log } = this.#options;
    if (log === undefined) return;
    const server = createStreamServer({
      ...{ transport: this.#transport, nodeId: this.nodeId, clock: systemClock(), log: silentLog },
    });
    this.#transport.subscribe(toAgent(this.nodeId, 'ExecutionLogs'), (message) => {
      const { FromOffset, StreamId } = logsRequestSchema.parse(fromBytes(message.payload));
      server.serve(StreamId, () => logItems(log(FromOffset), FromOffset));
      return toBytes({ type: 'opened', streamId: StreamId });
    });
  }

  #apply(rows: Push['rows']): Promise<Applied> {
    const committed = (): void => {
      for (const { body } of rows) this.#take(body);
    };
    return Promise.resolve({ ops: () => [], committed });
  }

  #take(body: unknown): void {
    const row = requesterRowSchema.parse(body);
    if (row.type === 'stop') {
      this.stops.push(row.executionId);
      void this.report(row.executionId, 'cancelled', { reason: row.reason });
      return;
    }
    if (row.type !== 'place') return;
    const { executionId, token } = row.placement;
    if (typeof executionId !== 'string') throw new Error('a placement without an id');
    this.placements.push({ executionId, at: Date.now() });
    if (this.executions.has(executionId)) return;
    this.executions.set(executionId, { token: reportToken(token), state: 'accepted', revision: 0 });
    void this.#act(executionId);
  }

  async #act(id: string): Promise<void> {
    const { behaviour } = this.#options;
    if (behaviour === 'decline')
      return this.report(id, 'declined', { reason: 'no room on the disk' });
    await this.report(id, 'running', { startedAt: Date.now() });
    if (behaviour === 'complete')
      await this.report(id, 'completed', {
        outcome: { by: 'exit', code: 0, reason: '' },
        finishedAt: Date.now(),
        stdout: 'done\n',
      });
  }

  async #beat(): Promise<void> {
    if (this.#busy || this.silent) return;
    this.#busy = true;
    try {
      if (this.#session === '') await (this.#shaken = this.#shakeHands());
      else await this.#heartbeat();
    } catch {
      // The requester is away; the next beat tries again.
    } finally {
      this.#busy = false;
    }
  }

  async #shakeHands(): Promise<void> {
    const message: Handshake = {
      v: PROTOCOL_VERSION,
      node: { ...infoOf(this.#options), ...this.#executors() },
      instanceId: `instance of ${this.nodeId}`,
      bootId: 'boot',
      startedAt: this.#startedAt,
      link: { ...this.#outbox.position(), ...this.#inbox.position() },
      executions: listOf(this.executions),
      schemas: this.executorsSay?.schemas,
    };
    const answer = handshakeAnswerSchema.parse(
      await this.#ask('Handshake', this.handshakeSays(message)),
    );
    this.handshakes.push(answer);
    if (answer.type !== 'accepted') return;
    await this.#inbox.adopt(answer.link.incarnation);
    this.#session = answer.session;
    this.#sender.open(answer.session);
  }

  async #heartbeat(): Promise<void> {
    const beat = {
      ...{ v: PROTOCOL_VERSION, session: this.#session, nodeId: this.nodeId, digest: '' },
      ...{ allocated: NO_RESOURCES, running: 0, ...this.#executors() },
      schemas: this.executorsSay?.schemas,
    };
    const answer = heartbeatAnswerSchema.parse(await this.#ask('Heartbeat', beat));
    this.heartbeats.push(answer);
    if (answer.type !== 'ok') this.#session = '';
  }

  #executors(): Pick<Heartbeat, 'executors'> {
    return { executors: (this.executorsSay ?? infoOf(this.#options)).executors };
  }

  async #ask(method: 'Handshake' | 'Heartbeat' | 'Push', message: unknown): Promise<unknown> {
    return fromBytes(
      await this.#transport.request(toRequester(this.nodeId, method), toBytes(message), 1_000),
    );
  }
}
