/**
 * Which instance of a plugin is asked about a run. Mostly there is one. During a hand-over new work goes to the new one, and
 * a run to the one that it belongs to; calls on the run that is being moved wait until it has been.
 */
import type { ExecutorClient, Listing, RunRef } from './port.ts';

/** What the hand-over needs beyond an executor's calls. */
export interface InstanceClient extends ExecutorClient {
  release(ref: RunRef): Promise<void>;
}

interface Leaving {
  readonly client: InstanceClient;
  /** Its runs. */
  readonly runs: Set<string>;
}

export class RunRouting {
  /** The one for new work. */
  #primary: InstanceClient;
  #leaving: Leaving | undefined;
  /** Runs whose Start went to the old one since its list was asked for. */
  #sent: Set<string> | undefined;
  /** Calls under way, by run. */
  readonly #busy = new Map<string, Set<Promise<unknown>>>();
  readonly #moving = new Map<string, Promise<void>>();
  /** Called when an execution has changed hands. */
  readonly #watchers = new Set<(executionId: string | undefined) => void>();

  constructor(client: InstanceClient) {
    this.#primary = client;
  }

  get primary(): InstanceClient {
    return this.#primary;
  }

  /** One call on a run, to its owner. */
  async on<T>(ref: RunRef, call: (client: InstanceClient) => Promise<T>): Promise<T> {
    const key = keyOf(ref);
    for (let moving = this.#moving.get(key); moving !== undefined; moving = this.#moving.get(key))
      await moving;
    this.#sent?.add(key);
    const under = call(this.ownerOf(ref));
    const calls = this.#busy.get(key) ?? new Set();
    this.#busy.set(key, calls.add(under));
    try {
      return await under;
    } finally {
      calls.delete(under);
      if (calls.size === 0) this.#busy.delete(key);
    }
  }

  ownerOf(ref: RunRef): InstanceClient {
    const leaving = this.#leaving;
    return leaving?.runs.has(keyOf(ref)) === true ? leaving.client : this.#primary;
  }

  /** Of an execution, whichever run it is at. */
  ownerOfLog(executionId: string): InstanceClient {
    const leaving = this.#leaving;
    const isItsOwn = [...(leaving?.runs ?? [])].some((key) => key.startsWith(`${executionId}/`));
    return leaving !== undefined && isItsOwn ? leaving.client : this.#primary;
  }

  /** `changed` is called when its execution has changed hands. Answers the way to stop that. */
  watch(executionId: string, changed: () => void): () => void {
    const watcher = (id: string | undefined): void => {
      if (id === undefined || id === executionId) changed();
    };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * From now on new work goes to `next`; what `list` names, and what the old one was told meanwhile, stays the old one's.
   * Answers all of that.
   */
  async divide(
    next: InstanceClient,
    list: () => Promise<readonly RunRef[]>,
  ): Promise<readonly RunRef[]> {
    this.#sent = new Set(this.#busy.keys());
    try {
      const runs = new Set([...(await list()).map(keyOf), ...this.#sent]);
      this.#leaving = { client: this.#primary, runs };
      this.#primary = next;
      return [...runs].map(refOf);
    } finally {
      this.#sent = undefined;
    }
  }

  /** Runs `work` while no call on this run is under way; others wait for it. */
  async exclusively(ref: RunRef, work: () => Promise<void>): Promise<void> {
    const key = keyOf(ref);
    for (let calls = this.#busy.get(key); calls !== undefined; calls = this.#busy.get(key))
      await Promise.allSettled(calls);
    const done = work();
    this.#moving.set(
      key,
      done.then(
        () => undefined,
        () => undefined,
      ),
    );
    try {
      await done;
    } finally {
      this.#moving.delete(key);
    }
  }

  moved(ref: RunRef): void {
    this.#leaving?.runs.delete(keyOf(ref));
    this.#tell(ref.executionId);
  }

  /** The old one owns nothing any more. */
  finish(): void {
    this.#leaving = undefined;
    this.#tell(undefined);
  }

  /** The old one owns everything again. */
  back(): void {
    if (this.#leaving !== undefined) this.#primary = this.#leaving.client;
    this.finish();
  }

  /** Each run as its owner sees it. */
  async list(): Promise<Listing> {
    const leaving = this.#leaving;
    const own = await this.#primary.list();
    if (leaving === undefined) return own;
    const old = await leaving.client.list().catch(() => undefined);
    if (old === undefined) return own;
    const isOld = (ref: RunRef): boolean => leaving.runs.has(keyOf(ref));
    const runs = [...own.runs.filter((run) => !isOld(run)), ...old.runs.filter(isOld)];
    return { ...own, runs, engineChanged: own.engineChanged || old.engineChanged };
  }

  #tell(executionId: string | undefined): void {
    for (const watcher of [...this.#watchers]) watcher(executionId);
  }
}

function keyOf({ executionId, run }: RunRef): string {
  return `${executionId}/${run}`;
}

function refOf(key: string): RunRef {
  const [executionId = '', run = ''] = key.split('/');
  return { executionId, run: Number(run) };
}
