/** Who has fallen silent: a change of state is stored before anything follows from it. */
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { WorldView } from '../state/world.ts';
import { judgeSilence, type Thresholds } from './connection.ts';
import type { Presence } from './presence.ts';
import { RegularLook } from './regular-look.ts';

export interface SilenceOptions {
  readonly coordinator: Coordinator;
  readonly world: WorldView;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly log: Logger;
  readonly thresholds: Thresholds;
}

/** Until it is closed. */
export function watchSilence(options: SilenceOptions): RegularLook {
  const { coordinator, world, clock, log } = options;
  return new RegularLook({
    ...{ clock, log, failure: 'node.silence-not-stored' },
    look: async () => {
      if (changes(options, world, clock.now()).length > 0)
        await coordinator.run((draft) => {
          store(options, draft);
        });
    },
  });
}

function changes({ presence, thresholds }: SilenceOptions, view: WorldView, now: number) {
  return [...view.nodes()].flatMap((node) => {
    if (node.session === '') return [];
    const change = judgeSilence(node.connection, now - presence.heardAt(node.id), thresholds);
    return change === undefined ? [] : [{ node, connection: { ...change, at: now } }];
  });
}

function store(options: SilenceOptions, draft: Draft): void {
  for (const { node, connection } of changes(options, draft, draft.now)) {
    draft.putNode({ ...node, connection });
    const { state, reason } = connection;
    options.log.warn(`node.${state}`, { nodeId: node.id, reason });
  }
}
