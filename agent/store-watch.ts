/**
 * Whether this node may take new work: only while its store can be written and its disk has room. Looks once a second; a
 * store that fails is written to, so that it heals without waiting for work.
 */
import { statfs } from 'node:fs/promises';
import type { Clock, Timer } from '../adapters/clock/port.ts';
import type { Logger } from '../adapters/log/port.ts';
import type { Store } from '../adapters/store/port.ts';
import { messageOf } from '../core/errors.ts';
import type { ExecutorHealth, PluginHost } from './plugins/port.ts';

export interface StoreWatchDeps {
  readonly store: Store;
  readonly folder: string;
  readonly limits: { readonly minFreeBytes: number };
  /** Asked before work is refused, and again now and then as long as it is. */
  makeRoom?(this: void): Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

const EVERY_MS = 1_000;
const MAKE_ROOM_EVERY_MS = 30_000;
const MEBIBYTE = 1024 * 1024;

export class StoreWatch {
  readonly #deps: StoreWatchDeps;
  #timer: Timer | undefined;
  #closed = false;
  #noRoom: string | undefined;
  #madeRoomAt = -Infinity;

  constructor(deps: StoreWatchDeps) {
    this.#deps = deps;
    this.#noRoom = notWritten(deps.store);
  }

  get noRoom(): string | undefined {
    return this.#noRoom;
  }

  /** `changed` is called whenever work may be taken again, or no more. */
  async start(changed: () => void): Promise<void> {
    if (this.#closed) return;
    const before = this.#noRoom;
    this.#noRoom = await this.#look();
    if ((before === undefined) !== (this.#noRoom === undefined)) {
      this.#deps.log.warn('store.room', { takesWork: this.#noRoom === undefined, before });
      changed();
    }
    this.#timer = this.#deps.clock.after(EVERY_MS, () => void this.start(changed));
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** Every executor of a node without room is unhealthy for that reason: nothing is placed on it, and all can see why. */
  over(host: PluginHost): PluginHost {
    return {
      start: (events) => {
        host.start(events);
      },
      client: (name) => host.client(name),
      health: () => host.health().map((health) => this.#overlay(health)),
      detach: () => host.detach(),
      shutdown: () => host.shutdown(),
    };
  }

  #overlay(health: ExecutorHealth): ExecutorHealth {
    return this.#noRoom === undefined || health.health !== 'healthy'
      ? health
      : { ...health, health: 'unhealthy', reason: this.#noRoom };
  }

  /** False when that was tried a moment ago. */
  async #madeRoom(): Promise<boolean> {
    const { clock, makeRoom } = this.#deps;
    if (makeRoom === undefined || clock.uptime() - this.#madeRoomAt < MAKE_ROOM_EVERY_MS)
      return false;
    this.#madeRoomAt = clock.uptime();
    await makeRoom();
    return true;
  }

  async #look(): Promise<string | undefined> {
    const { store, folder, limits } = this.#deps;
    const { minFreeBytes } = limits;
    if (store.failing !== undefined)
      await store.batch([{ type: 'del', key: 'meta/probe' }]).catch(messageOf);
    const failing = notWritten(store);
    if (failing !== undefined) return failing;
    let free = await freeBytes(folder);
    if (free < minFreeBytes && (await this.#madeRoom())) free = await freeBytes(folder);
    return free >= minFreeBytes
      ? undefined
      : `the disk of ${folder} has ${Math.floor(free / MEBIBYTE)} MiB left, and ${Math.ceil(minFreeBytes / MEBIBYTE)} MiB are wanted`;
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function notWritten({ failing }: Store): string | undefined {
  return failing === undefined ? undefined : `the store cannot be written: ${failing}`;
}
