/**
 * The agent's end of the link to its requester.
 *
 *   away --broker connected--> shaking hands --accepted--> linked (heartbeats, rows both ways)
 *     ^          ^  | pending, rejected, superseded, no answer: again later        |
 *     |          `--'                                                              |
 *     `------------------- broker lost, handshake-required ------------------------'
 *
 * Nothing of the work depends on this link being up.
 */
import { backoffMs } from '../../core/backoff.ts';
import { LimpetError } from '../../core/errors.ts';
import type { Timer } from '../../adapters/clock/port.ts';
import { LinkSender } from '../../adapters/link/sender.ts';
import type { Subscription } from '../../adapters/nats/port.ts';
import { needsSnapshot } from '../../wire/link.ts';
import type {
  Handshake,
  HandshakeAnswer,
  Heartbeat,
  HeartbeatAnswer,
  LinkPosition,
} from '../../wire/messages.ts';
import { Drift, isLevel } from '../../wire/digests.ts';
import { conditionOf, LinkCondition, type LinkStatus } from './condition.ts';
import { heartbeatOf, helloOf, knownToOwner } from './hello.ts';
import { desiredDigest } from './node-info.ts';
import type { RequesterLinkDeps } from './link-deps.ts';
import { SchemaTeller } from './schema-teller.ts';
import { takePushes } from './pushes.ts';
import { RequesterCalls } from './requester-calls.ts';

const HANDSHAKE_BACKOFF = { firstMs: 250, lastMs: 15_000 };
/** How long a report of what is under way may wait for the next one. */
const SOON_MS = 50;
const REFUSED_RETRY_MS = 30_000;
const LIMIT = { rows: 200, bytes: 512 * 1024 };

export class RequesterLink {
  readonly #deps: RequesterLinkDeps;
  readonly #calls: RequesterCalls;
  readonly #sender: LinkSender;
  readonly #condition: LinkCondition;
  /** '' until the first handshake, and once another is needed. */
  #session = '';
  #attempt = 0;
  #timer: Timer | undefined;
  #shaking = false;
  #shaken: Promise<void> = Promise.resolve();
  #closed = false;
  #intervalMs = 15_000;
  #push: Subscription | undefined;
  #offConnection: (() => void) | undefined;
  readonly #drift = new Drift();
  readonly #teller = new SchemaTeller();

  constructor(deps: RequesterLinkDeps) {
    this.#deps = deps;
    const { transport, sources, requestTimeoutMs: timeoutMs } = deps;
    this.#calls = new RequesterCalls({ transport, nodeId: sources.facts.nodeId, timeoutMs });
    this.#condition = new LinkCondition(deps.log);
    this.#sender = new LinkSender({
      outbox: deps.outbox,
      clock: deps.clock,
      log: deps.log,
      limit: LIMIT,
      send: async (push) => {
        const answer = await this.#calls.push(push);
        // The requester has the rows, and here they are not dropped yet.
        if (answer.type === 'ack') deps.faults.reach('agent.link.after-ack');
        return answer;
      },
      onHandshakeRequired: (reason) => {
        this.#again(reason, 0);
      },
    });
  }

  /** Of the last handshake; '' while another one is needed. */
  get session(): string {
    return this.#sender.isOpen ? this.#session : '';
  }

  get status(): LinkStatus {
    const { waitingBytes, full } = this.#deps.outbox;
    const { line } = this.#deps.orders.unreadable;
    return {
      ...this.#condition.now,
      ...{ waitingBytes, full },
      ...(line === undefined ? {} : { passedOver: line }),
    };
  }

  start(): void {
    const { transport, sources } = this.#deps;
    this.#push = takePushes({
      ...{ ...this.#deps, nodeId: sources.facts.nodeId },
      session: () => this.#session,
      shaken: () => (this.#shaking ? this.#shaken : undefined),
      handshakeRequired: (reason) => {
        this.#again(reason, 0);
      },
    });
    this.#offConnection = transport.onConnection((connected, detail) => {
      if (connected) this.#again('broker connected', 0);
      else this.#away(detail);
    });
  }

  /** Rows were committed. */
  wake(how: 'now' | 'soon'): void {
    if (how === 'now') this.#sender.wake();
    else this.#sender.wakeWithin(SOON_MS);
  }

  /** Executor health or recovery changed: the requester hears it now, not with the next beat. */
  announce(): void {
    if (this.#sender.isOpen) this.#schedule(0, () => this.#beat());
  }

  /** What the handshake tells of this node has changed. */
  reintroduce(): void {
    if (this.#sender.isOpen) this.#again('this node tells of itself anew', 0);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#sender.close();
    this.#push?.unsubscribe();
    this.#offConnection?.();
  }

  #away(detail: string): void {
    this.#sender.close();
    this.#timer?.cancel();
    this.#condition.set(
      'away',
      /^(permission-denied|not joined)/.test(detail) ? detail : `broker gone: ${detail}`,
    );
  }

  #again(reason: string, delayMs: number): void {
    this.#sender.close();
    if (this.#condition.now.state === 'linked') this.#condition.set('shaking-hands', reason);
    if (this.#deps.transport.connected) this.#schedule(delayMs, () => this.#handshake());
  }

  #schedule(delayMs: number, work: () => Promise<void>): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    this.#timer = this.#deps.clock.after(delayMs, () => void work());
  }

  #handshake(): Promise<void> {
    if (!this.#shaking && !this.#closed) this.#shaken = this.#shakeHands();
    return this.#shaken;
  }

  async #shakeHands(): Promise<void> {
    this.#shaking = true;
    try {
      const { sources, inbox } = this.#deps;
      // From here on the position stands: what comes under the session before may be of a newer self of an old copy.
      this.#session = '';
      await inbox.settled();
      const position = this.#position();
      const attempt = this.#deps.mint();
      const hello = await helloOf({
        ...this.#deps,
        sources,
        position,
        attempt,
        teller: this.#teller,
      });
      await this.#answered(await this.#calls.handshake(hello), hello);
    } catch (thrown) {
      const error = LimpetError.from(thrown);
      const { connected } = this.#deps.transport;
      this.#condition.set(connected ? 'shaking-hands' : 'away', conditionOf(error, connected));
      this.#attempt += 1;
      this.#schedule(backoffMs(HANDSHAKE_BACKOFF, this.#attempt - 1), () => this.#handshake());
    } finally {
      this.#shaking = false;
    }
  }

  async #answered(answer: HandshakeAnswer, hello: Handshake): Promise<void> {
    if (answer.type !== 'accepted') {
      this.#condition.set(answer.type, told(answer));
      this.#schedule(answer.type === 'pending' ? answer.retryAfterMs : REFUSED_RETRY_MS, () =>
        this.#handshake(),
      );
      return;
    }
    const { inbox, outbox, log } = this.#deps;
    if (needsSnapshot(outbox.memory, answer.link)) {
      const reason = 'what the requester has taken is not what this node has sent';
      log.warn('link.snapshot', { reason, epoch: answer.epoch });
      await outbox.restart(this.#deps.mint(), () => this.#deps.snapshot());
      this.#schedule(0, () => this.#handshake());
      return;
    }
    await this.#deps.accepted(answer.requesterId, answer.epoch);
    await inbox.adopt(answer.link.incarnation);
    this.#session = answer.session;
    this.#teller.answered(hello.schemas ?? []);
    this.#attempt = 0;
    this.#intervalMs = answer.heartbeatIntervalMs;
    this.#condition.linked(answer.requesterId);
    this.#sender.open(answer.session);
    void this.#deps.ownerWord(knownToOwner(hello, answer));
    this.#schedule(0, () => this.#beat());
  }

  async #beat(): Promise<void> {
    if (!this.#sender.isOpen) return;
    this.#schedule(this.#intervalMs, () => this.#beat());
    try {
      const { sources } = this.#deps;
      const [session, teller, position] = [this.#session, this.#teller, this.#position()];
      const beat = heartbeatOf({ sources, position, session, teller });
      const sent = this.#deps.moment();
      const answer = await this.#calls.heartbeat(beat);
      if (answer.type === 'ok') this.#deps.acknowledged(sent);
      if (beat.session === this.#session) this.#beaten(answer, beat);
    } catch (thrown) {
      const error = LimpetError.from(thrown);
      this.#deps.log.warn('link.heartbeat-failed', { code: error.code, reason: error.message });
      // Still beating, and still sending: the session may outlive this.
      if (this.#sender.isOpen)
        this.#condition.set('away', conditionOf(error, this.#deps.transport.connected));
    }
  }

  #beaten(answer: HeartbeatAnswer, beat: Heartbeat): void {
    if (answer.type === 'handshake-required') {
      this.#again(answer.reason, 0);
      return;
    }
    if (answer.type === 'superseded') {
      this.#sender.close();
      this.#condition.set('superseded', told(answer));
      this.#schedule(REFUSED_RETRY_MS, () => this.#handshake());
      return;
    }
    this.#condition.linked();
    this.#teller.answered(beat.schemas ?? []);
    this.#intervalMs = answer.heartbeatIntervalMs;
    for (const id of answer.stop) this.#deps.stop(id);
    this.#deps.ended(answer.ended ?? []);
    const { desired } = answer;
    const mine = desiredDigest(this.#deps.sources.engine);
    const level = desired !== undefined && isLevel(this.#position(), desired.link);
    if (this.#drift.differs(level ? [mine, desired.digest] : undefined))
      this.#again('the requester wants other executions here than there are', 0);
  }

  #position(): LinkPosition {
    return { ...this.#deps.outbox.position(), ...this.#deps.inbox.position() };
  }
}

function told({ type, reason }: { readonly type: string; readonly reason: string }): string {
  return type === 'superseded'
    ? `${reason}: is this a copy of another node? \`limpet agent reset --identity\` and a key of its own make it a node by itself (docs/operating.md, Another machine)`
    : reason;
}
