/**
 * Whether this node takes an accepted execution: the executor is there, healthy and recovered, its params are valid,
 * and the resources fit. What another node might do is declined; what no node can do is refused.
 * `accepted` holds its resources from the moment it is written, so two placements never share the same room.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { messageOf } from '../../core/errors.ts';
import type { ExecutionEvent } from '../../core/execution/events.ts';
import type { Placement } from '../../core/job.ts';
import { firstShortage, type Resources } from '../../core/resources.ts';
import type { ExecutorClient, ExecutorHealth } from '../plugins/port.ts';
import { canonicalParams } from './params.ts';

export interface AdmissionDeps {
  readonly capacity: Resources;
  client(executor: string): ExecutorClient | undefined;
  health(executor: string): ExecutorHealth | undefined;
  /** False while that executor's recovery is under way. */
  recovered(executor: string): boolean;
}

export class Admission {
  readonly #deps: AdmissionDeps;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #validators = new WeakMap<ExecutorClient, ValidateFunction>();

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
    const params = canonicalParams(client.paramsSchema, task.Engine.Params ?? {});
    const invalid = this.#invalidParams(client, params);
    if (invalid !== undefined) return { type: 'refuse', reason: invalid };
    const shortage = firstShortage(allocated, this.#deps.capacity);
    if (shortage !== undefined)
      return {
        type: 'decline',
        reason: `no room on this node: ${shortage} (all executions together)`,
      };
    return { type: 'admit' };
  }

  #invalidParams(client: ExecutorClient, params: unknown): string | undefined {
    let validate = this.#validators.get(client);
    if (validate === undefined) {
      try {
        validate = this.#ajv.compile(client.paramsSchema as object);
      } catch (thrown) {
        return `executor ${client.name} has a schema that cannot be used: ${messageOf(thrown)}`;
      }
      this.#validators.set(client, validate);
    }
    if (validate(params)) return undefined;
    const error = validate.errors?.[0];
    const path = `Engine.Params${error?.instancePath.replaceAll('/', '.') ?? ''}`;
    const extra = error?.params['additionalProperty'] as unknown;
    const what =
      typeof extra === 'string' ? `unknown field '${extra}'` : (error?.message ?? 'not valid');
    return `${path}: ${what}`;
  }
}
