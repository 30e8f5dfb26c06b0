/**
 * Lets a group at the agent's socket:
 *
 *   data folder     0710 GROUP   when it was its user's alone and the run folder is below it
 *   run folder      0710 GROUP   its other entries, the plugins' sockets among them, are in folders of 0700
 *   agent.sock      0660 GROUP
 *
 * The run folder is 0700 from the start of the agent (state.ts) until the socket has its mode, and is opened last: there is
 * no moment at which anybody else reaches a socket of another mode, whatever the umask. A group that cannot be had leaves
 * everything closed, and the agent degraded: work matters more than its operators' comfort.
 */
import { chmod, chown, stat } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { messageOf } from '../../core/errors.ts';
import { closed, socketGroup, type SocketGroup } from './socket-group.ts';

/** -1 leaves the owner. */
const SAME_USER = -1;

export interface DoorOptions {
  /** `socketGroup` of the config. */
  readonly group: string | undefined;
  readonly dataDir: string;
}

export class SocketDoor {
  readonly #options: DoorOptions;
  readonly #group: SocketGroup;
  #failure: string | undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#group = socketGroup(options.group);
  }

  /** Why the group that the config names has no access. */
  get problem(): string | undefined {
    return this.#failure ?? (this.#group.gid === undefined ? this.#group.problem : undefined);
  }

  /** The socket is there, in a folder that only its user can enter. */
  async open(socket: string): Promise<void> {
    await chmod(socket, 0o600);
    const { gid } = this.#group;
    if (gid === undefined) return;
    try {
      await give(socket, gid, 0o660);
      await give(dirname(socket), gid, 0o710);
      await this.#openData(dirname(socket), gid);
    } catch (thrown) {
      await chmod(socket, 0o600);
      this.#failure = closed(this.#options.group ?? String(gid), messageOf(thrown));
    }
  }

  async #openData(runDir: string, gid: number): Promise<void> {
    const { dataDir } = this.#options;
    const isBelow = !relative(dataDir, runDir).startsWith('..');
    if (isBelow && ((await stat(dataDir)).mode & 0o777) === 0o700) await give(dataDir, gid, 0o710);
  }
}

/** The group before the mode: what the mode opens, it opens to that group alone. */
async function give(path: string, gid: number, mode: number): Promise<void> {
  await chown(path, SAME_USER, gid);
  await chmod(path, mode);
}
