/**
 * The end of a rejected node: its orders to stop go out first; when all of its work has ended, or after some seconds, the
 * rest is given up, its session ends, and with an authority its key is void.
 */
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { messageOf } from '../../core/errors.ts';
import { isTerminal } from '../../core/execution/states.ts';
import type { NodeId } from '../../core/ids.ts';
import { markLost } from '../jobs/report.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Draft } from '../state/draft.ts';
import type { NodeRecord } from '../state/records.ts';
import type { WorldView } from '../state/world.ts';
import { isExpelled } from './expelled.ts';
import type { Links } from './links.ts';
import { heldBy, revoke } from './membership.ts';
import { replaceSession } from './sessions.ts';

export interface ExpulsionOptions {
  readonly coordinator: Coordinator;
  readonly world: WorldView;
  readonly links: Links;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_EVERY_MS = 1_000;
/** So long a node has to stop what it runs. */
const GRACE_MS = 10_000;

export class Expulsion {
  readonly #options: ExpulsionOptions;
  #timer: Timer | undefined;

  constructor(options: ExpulsionOptions) {
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
    const { coordinator, world, links, log } = this.#options;
    try {
      if (this.#due(world).length > 0) {
        const expelled = await coordinator.run((draft) => this.#expel(draft));
        // Its handshake is answered with the reason.
        for (const node of expelled) links.nudge(node);
      }
    } catch (thrown) {
      log.error('node.expulsion-not-stored', { reason: messageOf(thrown) });
    }
    if (this.#timer !== undefined) this.#arm();
  }

  #due(view: WorldView): NodeRecord[] {
    return [...view.nodes()].filter((node) => {
      if (!isExpelled(node)) return false;
      if (node.session === '' && !isHolder(view, node)) return isUnrevoked(view, node);
      const passedMs = this.#options.clock.now() - node.membership.at;
      return passedMs >= GRACE_MS || !isHolder(view, node);
    });
  }

  #expel(draft: Draft): NodeId[] {
    const { links, log } = this.#options;
    const due = this.#due(draft);
    for (const node of due) {
      links.get(node.id)?.sender.close();
      const held = heldBy(draft, node.id);
      for (const execution of held)
        markLost(draft, execution, `${node.id} was rejected, and has not told of its end`);
      draft.putNode({ ...node, ...replaceSession(node, '') });
      revoke(draft, node.id, 'rejected');
      log.warn('node.expelled', { nodeId: node.id, givenUp: held.length });
    }
    return due.map(({ id }) => id);
  }
}

function isHolder(view: WorldView, { id }: NodeRecord): boolean {
  for (const { nodeId, state } of view.executions())
    if (nodeId === id && !isTerminal(state)) return true;
  return false;
}

function isUnrevoked(view: WorldView, { id }: NodeRecord): boolean {
  const member = view.roster.members.get(id);
  return member !== undefined && view.roster.revocations.get(member.publicKey) === undefined;
}
