/**
 * Whether this node takes an accepted execution: the executor is there, healthy and recovered, its params are valid,
 * and the resources fit. What another node might do is declined; what no node can do is refused.
 * `accepted` holds its resources from the moment it is written, so two placements never share the same room.
 */
import { paramsFault } from '../../adapters/schemas/params-fault.ts';
import type { ExecutionEvent } from '../../core/execution/events.ts';
import type { Placement } from '../../core/job.ts';
import { firstShortage, type Resources } from '../../core/resources.ts';
import type { ExecutorClient, ExecutorHealth } from '../plugins/port.ts';
import type { ParamsSchemas } from './params-schemas.ts';

export interface AdmissionDeps {
  readonly capacity: Resources;
  readonly schemas: ParamsSchemas;
  client(executor: string): ExecutorClient | undefined;
  health(executor: string): ExecutorHealth | undefined;
  /** False while that executor's recovery is under way. */
  recovered(executor: string): boolean;
}

export class Admission {
  readonly #deps: AdmissionDeps;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /**
   * The event that follows; undefined while it has to wait for its executor. `allocated` is what everything takes that is
   * not terminal, this execution included.
   */
  judge({ task }: Placement, allocated: Resources): ExecutionEvent | undefined {
    const name = task.Engine.Type;
    const health = this.#deps.health(name);
    if (health === undefined)
      return { type: 'decline', reason: `this node has no executor '${name}'` };
    const client = this.#deps.client(name);
    if (client === undefined || !this.#deps.recovered(name)) {
      const dead = health.restarts > 2 && client === undefined;
      return dead
        ? { type: 'decline', reason: `executor ${name} is not available: ${health.reason}` }
        : undefined;
    }
    if (health.pending) return undefined;
    if (health.health !== 'healthy')
      return { type: 'decline', reason: `executor ${name} is ${health.health}: ${health.reason}` };
    const { check } = this.#deps.schemas.of(client);
    const invalid = paramsFault(check, task.Engine.Params ?? {});
    if (invalid !== undefined) return { type: 'refuse', reason: invalid };
    const shortage = firstShortage(allocated, this.#deps.capacity);
    if (shortage !== undefined)
      return {
        type: 'decline',
        reason: `no room on this node: ${shortage} (all executions together)`,
      };
    return { type: 'admit' };
  }
}
