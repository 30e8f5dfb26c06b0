/** The link to each node: what goes out, what came in, and the sender of the first. */
import type { Clock } from '../../adapters/clock/port.ts';
import { Inbox } from '../../adapters/link/inbox.ts';
import { Outbox } from '../../adapters/link/outbox.ts';
import { LinkSender } from '../../adapters/link/sender.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import type { Store, StoreOp } from '../../adapters/store/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { NodeId } from '../../core/ids.ts';
import {
  PROTOCOL_VERSION,
  pushAnswerSchema,
  type LinkPosition,
  type Push,
  type PushAnswer,
  type RequesterRow,
} from '../../wire/messages.ts';
import { toAgent } from '../../wire/subjects.ts';
import { linkPrefix } from '../state/keys.ts';
import type { Mint } from '../state/minting.ts';
import { fromBytes, toBytes } from './json-bytes.ts';

export interface NodeLink {
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  readonly sender: LinkSender;
  position(): LinkPosition;
}

export interface LinksOptions {
  readonly store: Store;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  readonly mint: Mint;
  readonly requestTimeoutMs: number;
  readonly batchRows: number;
  readonly batchBytes: number;
}

export class Links {
  readonly #options: LinksOptions;
  readonly #links = new Map<NodeId, NodeLink>();
  readonly #loading = new Map<NodeId, Promise<NodeLink>>();
  /** Asked for a handshake just now. */
  readonly #nudged = new Set<NodeId>();

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  get(node: NodeId): NodeLink | undefined {
    return this.#links.get(node);
  }

  /** Its node was deleted, and with it the rows. */
  drop(node: NodeId): void {
    this.#links.get(node)?.sender.close();
    this.#links.delete(node);
    this.#loading.delete(node);
  }

  /** Asks a node for a handshake at once, if it is there. */
  nudge(node: NodeId): void {
    const link = this.#links.get(node);
    if (link !== undefined) void this.#nudge(node, link);
  }

  /** Loads it, or makes it at the first handshake. */
  open(node: NodeId): Promise<NodeLink> {
    const known = this.#loading.get(node);
    if (known !== undefined) return known;
    const loading = this.#load(node);
    this.#loading.set(node, loading);
    loading.catch(() => this.#loading.delete(node));
    return loading;
  }

  append(node: NodeId, rows: readonly RequesterRow[]): StoreOp[] {
    const link = this.#links.get(node);
    if (link === undefined)
      throw new LimpetError('internal', `rows for ${node}, which has never shaken hands`);
    return link.outbox.append(rows);
  }

  /** A batch with rows of `append` was not written. */
  unwritten(ops: readonly StoreOp[]): void {
    for (const { outbox } of this.#links.values()) outbox.unwritten(ops);
  }

  /** Rows were committed. Before the first handshake nothing is sent: the node is asked for one. */
  wake(node: NodeId): void {
    const link = this.#links.get(node);
    if (link === undefined) return;
    if (link.sender.isOpen) link.sender.wake();
    else void this.#nudge(node, link);
  }

  /** An empty push of no session: a node that is there shakes hands; one that is not does so when it comes back. */
  async #nudge(node: NodeId, { outbox }: NodeLink): Promise<void> {
    if (this.#nudged.has(node)) return;
    this.#nudged.add(node);
    const { incarnation, acked } = outbox;
    const push: Push = {
      v: PROTOCOL_VERSION,
      session: '',
      incarnation,
      after: acked,
      rows: [],
    };
    try {
      await this.#send(node, push);
    } catch (thrown) {
      const { code, message } = LimpetError.from(thrown);
      this.#options.log.debug('link.nudge-failed', { nodeId: node, code, reason: message });
    } finally {
      this.#nudged.delete(node);
    }
  }

  close(): void {
    for (const { sender } of this.#links.values()) sender.close();
  }

  async #load(node: NodeId): Promise<NodeLink> {
    const { store, clock, mint, batchRows, batchBytes } = this.#options;
    const outbox = await Outbox.load(store, linkPrefix(node, 'out'), () => mint.uuid());
    const inbox = await Inbox.load(store, linkPrefix(node, 'in'));
    const log = this.#options.log.child({ nodeId: node });
    const sender = new LinkSender({
      outbox,
      clock,
      log,
      limit: { rows: batchRows, bytes: batchBytes },
      send: (push) => this.#send(node, push),
      onHandshakeRequired: (reason) => log.info('link.handshake-required', { reason }),
    });
    const position = (): LinkPosition => ({ ...outbox.position(), ...inbox.position() });
    const link = { outbox, inbox, sender, position };
    this.#links.set(node, link);
    return link;
  }

  async #send(node: NodeId, push: Push): Promise<PushAnswer> {
    const { transport, requestTimeoutMs } = this.#options;
    const answer = await transport.request(toAgent(node, 'Push'), toBytes(push), requestTimeoutMs);
    return pushAnswerSchema.parse(fromBytes(answer));
  }
}
