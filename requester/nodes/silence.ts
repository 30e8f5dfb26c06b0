/** Looks once a second who has fallen silent; a change of state is stored before anything follows from it. */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { messageOf } from '../../core/errors.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { WorldView } from '../state/world.ts';
import { judgeSilence, type Thresholds } from './connection.ts';
import type { Presence } from './presence.ts';

export interface SilenceOptions {
  readonly coordinator: Coordinator;
  readonly world: WorldView;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly log: Logger;
  readonly thresholds: Thresholds;
}

const LOOK_EVERY_MS = 1_000;

export class SilenceWatch {
  readonly #options: SilenceOptions;
  #timer: Timer | undefined;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#arm();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(LOOK_EVERY_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { coordinator, world, clock, log } = this.#options;
    try {
      if (this.#changes(world, clock.now()).length > 0)
        await coordinator.run((draft) => this.#store(draft));
    } catch (thrown) {
      log.error('node.silence-not-stored', { reason: messageOf(thrown) });
    }
    if (this.#timer !== undefined) this.#arm();
  }

  #changes(view: WorldView, now: number) {
    const { presence, thresholds } = this.#options;
    return [...view.nodes()].flatMap((node) => {
      if (node.session === '') return [];
      const change = judgeSilence(node.connection, now - presence.heardAt(node.id), thresholds);
      return change === undefined ? [] : [{ node, connection: { ...change, at: now } }];
    });
  }

  #store(draft: Draft): void {
    for (const { node, connection } of this.#changes(draft, draft.now)) {
      draft.putNode({ ...node, connection });
      this.#options.log.warn(`node.${connection.state}`, {
        nodeId: node.id,
        reason: connection.reason,
      });
    }
  }
}
