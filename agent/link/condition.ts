/** How the link stands, in status and log; and why the requester does not answer: four conditions, each in its own words. */
import type { Logger } from '../../adapters/log/port.ts';
import type { LimpetError } from '../../core/errors.ts';

export const LINK_STATES = [
  'away',
  'shaking-hands',
  'linked',
  'pending',
  'rejected',
  'superseded',
] as const;

export interface LinkStatus {
  readonly state: (typeof LINK_STATES)[number];
  readonly detail: string;
  readonly requesterId: string;
  /** Bytes of reports that wait; `full` when it is more than the bound. */
  readonly waitingBytes: number;
  readonly full: boolean;
  /** Orders of the requester that could not be read, one sentence. */
  readonly passedOver?: string;
}

type Standing = Pick<LinkStatus, 'state' | 'detail' | 'requesterId'>;

/** Every change is logged, once. */
export class LinkCondition {
  readonly #log: Logger;
  #now: Standing = { state: 'away', detail: 'not connected yet', requesterId: '' };

  constructor(log: Logger) {
    this.#log = log;
  }

  get now(): Standing {
    return this.#now;
  }

  linked(requesterId = this.#now.requesterId): void {
    this.#now = { ...this.#now, requesterId };
    this.set('linked', `requester ${requesterId}`);
  }

  set(state: Standing['state'], detail: string): void {
    if (this.#now.state === state && this.#now.detail === detail) return;
    this.#now = { ...this.#now, state, detail };
    this.#log.info('link.state', { state, detail });
  }
}

/** `connected`: the broker is there. */
export function conditionOf(error: LimpetError, connected: boolean): string {
  if (error.code === 'permission-denied') return `permission denied: ${error.message}`;
  if (!connected) return `broker gone: ${error.message}`;
  if (error.code === 'unavailable') return `requester absent: ${error.message}`;
  if (error.code === 'timeout') return `requester silent: ${error.message}`;
  return `requester: ${error.message}`;
}
