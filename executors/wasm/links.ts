/** Connections to the runners that hold runs of this plugin, by run folder, each until its run is over. */
import { readClaim, type RunContext } from '../../plugins/sdk/index.ts';
import { RunnerClient, type FollowedRun } from './client.ts';
import { hasRecord, readSocket } from './record.ts';
import { isSame } from './strays.ts';

export interface Link {
  readonly runner: RunnerClient;
  readonly run: FollowedRun;
}

export class Links {
  readonly #links = new Map<string, Link>();
  readonly #free: (runner: RunnerClient) => void;

  /** `free`: a runner takes another run. */
  constructor(free: (runner: RunnerClient) => void) {
    this.#free = free;
  }

  get(folder: string): Link | undefined {
    return this.#links.get(folder);
  }

  /** Folder and connection. */
  all(): Iterable<readonly [string, Link]> {
    return this.#links;
  }

  /** Of the run that the runner holds now. */
  keep(folder: string, runner: RunnerClient): Link {
    const link = { runner, run: runner.run };
    this.#links.set(folder, link);
    void link.run.over.then(() => {
      if (this.#links.get(folder) === link) this.#links.delete(folder);
      if (link.run.leavesFree) this.#free(runner);
    });
    return link;
  }

  /** Of a run that goes on: one that is over has left its runner to others. */
  hangUp(folder: string): void {
    const link = this.#links.get(folder);
    if (link?.run.hasEnded === false) link.runner.close();
  }

  /** A connection to the runner that holds this run now. */
  async open({ spec, folder }: RunContext): Promise<Link | undefined> {
    const known = this.#links.get(folder);
    if (known !== undefined) return known;
    const socket = hasRecord(folder) ? undefined : readSocket(folder);
    if (socket === undefined) return undefined;
    const runner = await RunnerClient.connect(socket).catch(() => undefined);
    if (runner === undefined) return undefined;
    const { identity, holds } = runner.hello;
    const holder = readClaim(folder)?.holder;
    const isHolder = identity.pid === holder?.pid && identity.startTime === holder.startTime;
    const meanwhile = this.#links.get(folder);
    if (meanwhile === undefined && isHolder && holds !== null && isSame(holds, spec.key))
      return this.keep(folder, runner);
    runner.close();
    return meanwhile;
  }

  close(): void {
    for (const { runner } of this.#links.values()) runner.close();
  }
}
