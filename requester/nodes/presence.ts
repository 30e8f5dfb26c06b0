/**
 * What is known of nodes only now and never stored: when each was last heard, and what work of others takes there. After a
 * restart silence is counted from our own return.
 */
import { isTerminal } from '../../core/execution/states.ts';
import type { NodeId } from '../../core/ids.ts';
import { NO_RESOURCES, subtractResources, type Resources } from '../../core/resources.ts';
import { Drift } from '../../wire/digests.ts';
import { heldBy } from '../scheduling/board.ts';
import type { ExecutionRecord } from '../state/records.ts';

export class Presence {
  readonly #heard = new Map<NodeId, number>();
  readonly #foreign = new Map<NodeId, Resources>();
  readonly #drift = new Map<NodeId, Drift>();
  readonly #startedAt: number;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  heardAt(node: NodeId): number {
    return this.#heard.get(node) ?? this.#startedAt;
  }

  /** How its set of executions compares with ours. */
  drift(node: NodeId): Drift {
    const drift = this.#drift.get(node) ?? new Drift();
    this.#drift.set(node, drift);
    return drift;
  }

  foreign(node: NodeId): Resources {
    return this.#foreign.get(node) ?? NO_RESOURCES;
  }

  /** `allocated` is the node's own sum; what is not ours of it is foreign. Answers whether that has changed. */
  heard(
    node: NodeId,
    told: {
      readonly allocated: Resources;
      readonly ours: Iterable<ExecutionRecord>;
      readonly now: number;
    },
  ): boolean {
    this.#heard.set(node, told.now);
    const mine = [...told.ours].filter(
      ({ nodeId, state }) => nodeId === node && !isTerminal(state),
    );
    const rest = subtractResources(told.allocated, heldBy(mine));
    const foreign = {
      cpuMillis: Math.max(0, rest.cpuMillis),
      memoryBytes: Math.max(0, rest.memoryBytes),
      diskBytes: Math.max(0, rest.diskBytes),
      gpus: Math.max(0, rest.gpus),
    };
    const before = this.foreign(node);
    this.#foreign.set(node, foreign);
    return JSON.stringify(before) !== JSON.stringify(foreign);
  }
}
