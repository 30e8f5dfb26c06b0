/**
 * After a start: which nodes have shown all that they hold. Until then this store may be an old copy, and what looks
 * unplaced in it may have been placed by a newer self of this requester. See docs/decisions/0014.
 *
 *   a node has shown all: its handshake was taken, with it the reports that waited there, and the executor has recovered
 *   over: every node has, or `unhealthyAfterMs` has passed since the start; a store that is known as an old copy has
 *   forgotten nodes too, so that only time ends it
 */
import { z } from 'zod';
import type { Store } from '../../adapters/store/port.ts';
import type { JobId, NodeId } from '../../core/ids.ts';
import type { LinkPosition } from '../../wire/messages.ts';
import type { Awaited, Inheritance } from '../scheduling/inheritance.ts';
import type { Draft } from '../state/draft.ts';
import { SET_BACK_KEY } from '../state/keys.ts';
import type { JobRecord, NodeRecord } from '../state/records.ts';
import type { WorldView } from '../state/world.ts';
import { isExpelled } from './expelled.ts';

const markSchema = z.object({ at: z.number() });

export interface RollCallOptions {
  readonly world: WorldView;
  readonly now: number;
  readonly unhealthyAfterMs: number;
  /** Where the link to a node stands. */
  readonly position: (node: NodeId) => LinkPosition | undefined;
}

/** The last row that waited at the node when it shook hands. */
type Shown = Pick<LinkPosition, 'incarnation' | 'lastSeq'>;

/** Nodes that a reason names at most. */
const MOST_NAMED = 3;

export class RollCall {
  readonly #options: RollCallOptions;
  readonly #inherited: ReadonlySet<JobId>;
  /** Nodes of the store, and whether it had given them up. */
  readonly #known: ReadonlyMap<NodeId, { readonly given: boolean }>;
  readonly #until: number;
  readonly #shown = new Map<NodeId, Shown>();
  /** Nodes that have shown all but what an executor still looks for. */
  readonly #whole = new Set<NodeId>();
  /** `node executor` where nothing is missing; a plugin that recovers again later changes nothing. */
  readonly #heard = new Set<string>();
  #setBack: boolean;
  #over = false;

  private constructor(options: RollCallOptions, setBack: boolean) {
    const { world, now, unhealthyAfterMs } = options;
    this.#options = options;
    this.#inherited = new Set([...world.jobs()].map(({ id }) => id));
    const members = [...world.nodes()].filter(({ session }) => session !== '');
    this.#known = new Map(
      members.map(({ id, connection, membership }) => [
        id,
        { given: connection.state === 'unhealthy' || membership.state !== 'approved' },
      ]),
    );
    this.#until = now + unhealthyAfterMs;
    this.#setBack = setBack;
  }

  static async load(store: Store, options: RollCallOptions): Promise<RollCall> {
    const mark = markSchema.safeParse(await store.get(SET_BACK_KEY));
    return new RollCall(options, mark.success);
  }

  /** Its handshake is stored, and its list was whole. */
  shown(node: NodeId, { incarnation, lastSeq }: Shown): void {
    this.#shown.set(node, { incarnation, lastSeq });
  }

  /** True once: with the rows that are stored now it has shown all. A turn has to follow. */
  completes(node: NodeId): boolean {
    const shown = this.#shown.get(node);
    const taken = this.#options.position(node);
    if (this.#over || shown === undefined || taken === undefined || this.#whole.has(node))
      return false;
    if (taken.peerIncarnation !== shown.incarnation || taken.peerCursor < shown.lastSeq)
      return false;
    this.#whole.add(node);
    return true;
  }

  /** This store is an old copy: said by a node, in this turn. True when it is news. */
  setBack(draft: Draft): boolean {
    if (this.#setBack || this.#over) return false;
    draft.op({ type: 'put', key: SET_BACK_KEY, value: { at: draft.now } });
    this.#setBack = true;
    return true;
  }

  /** For people, while it matters. */
  get problem(): string | undefined {
    if (!this.#setBack || this.#over) return undefined;
    return `the store is an older copy: work of before the start is not placed, ${this.#ending}`;
  }

  /** As it is in this turn. */
  inheritance(draft: Draft): Inheritance {
    this.#over ||= this.#isOver(draft);
    const inherits = ({ id }: JobRecord): boolean => this.#inherited.has(id);
    if (this.#over) return { inherits, awaited: () => undefined };
    const found = new Map<string, Awaited | undefined>();
    return {
      inherits,
      awaited: (job) => {
        if (!inherits(job)) return undefined;
        const executor = job.spec.Tasks[0].Engine.Type;
        if (!found.has(executor)) found.set(executor, this.#awaited(draft, executor));
        return found.get(executor);
      },
    };
  }

  #isOver(draft: Draft): boolean {
    if (draft.now < this.#until) return this.#inherited.size === 0 && !this.#setBack;
    if (this.#setBack) draft.op({ type: 'del', key: SET_BACK_KEY });
    return true;
  }

  get #ending(): string {
    return `until ${new Date(this.#until).toISOString()} at the latest`;
  }

  #awaited(draft: Draft, executor: string): Awaited | undefined {
    const silent = [...this.#known]
      .filter(([, { given }]) => this.#setBack || !given)
      .map(([id]) => id)
      .filter((id) => !this.#hasShown(draft.node(id), executor));
    if (silent.length === 0 && !this.#setBack) return undefined;
    const all = silent.length > MOST_NAMED ? `${silent.length} nodes` : silent.sort().join(', ');
    const whom = this.#setBack ? 'nodes that this older copy of its store does not know' : all;
    return {
      reason: `may have been placed before the requester was started; waits, ${this.#ending}, for ${whom} to show what is there`,
      until: this.#until,
    };
  }

  #hasShown(node: NodeRecord | undefined, executor: string): boolean {
    if (node === undefined || isExpelled(node)) return true;
    const key = `${node.id} ${executor}`;
    if (this.#heard.has(key)) return true;
    if (!this.#whole.has(node.id)) return false;
    const found = node.info.executors.find(({ name }) => name === executor);
    if (found !== undefined && found.recovery !== 'complete') return false;
    this.#heard.add(key);
    return true;
  }
}
