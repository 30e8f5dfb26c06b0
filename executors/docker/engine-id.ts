/**
 * The random id that names an engine, kept in the engine as a label of the volume `limpet-<instance>`, made at first
 * contact. The id in `/info` does not do: it is the same for two engines of one host and survives a wipe.
 */
import { randomUUID } from 'node:crypto';
import type { Engine } from './engine.ts';
import { INSTANCE_LABEL, type Identity } from './labels.ts';

const ENGINE_LABEL = 'limpet.engine-id';
const ROLE = 'engine-id';

export class EngineId {
  readonly #engine: Engine;
  readonly #identity: Identity;

  constructor(engine: Engine, identity: Identity) {
    this.#engine = engine;
    this.#identity = identity;
  }

  get #volume(): string {
    return `limpet-${this.#identity.instanceId}`;
  }

  /** Removes the volume, unless somebody else has made it; answers its name when it is there and ours. */
  async leave({ dryRun }: { readonly dryRun: boolean }): Promise<string | undefined> {
    const labels = await this.#engine.volumeLabels(this.#volume);
    const ours = labels?.[INSTANCE_LABEL] === this.#identity.instanceId;
    if (!ours || labels['limpet.role'] !== ROLE) return undefined;
    if (!dryRun) await this.#engine.removeVolume(this.#volume);
    return this.#volume;
  }

  /** undefined when this engine has none yet. Throws when the engine is away. */
  async read(): Promise<string | undefined> {
    const labels = await this.#engine.volumeLabels(this.#volume);
    return labels?.[ENGINE_LABEL];
  }

  /** Gives the engine an id if it has none; of two that do so at once, both read the one that stayed. */
  async ensure(): Promise<string | undefined> {
    const present = await this.read();
    if (present !== undefined) return present;
    await this.#engine.createVolume(this.#volume, {
      [ENGINE_LABEL]: randomUUID(),
      [INSTANCE_LABEL]: this.#identity.instanceId,
      'limpet.node-id': this.#identity.nodeId,
      'limpet.role': ROLE,
    });
    return this.read();
  }
}
