/** The holder of one run, which is looked at for as long as the run lives: it may die without a trace in the run's folder. */
import type { FollowedProcess, ProcessIdentity } from '../../../adapters/processes/port.ts';
import { readClaim } from '../held-run.ts';
import type { ExecutorHost, RunContext } from '../types.ts';
import { findStray } from './strays.ts';

type Look = ReturnType<FollowedProcess['look']>;

export class HolderLook implements Disposable {
  readonly #host: ExecutorHost;
  #followed: { readonly name: string; readonly process: FollowedProcess } | undefined;
  #last: Look = 'gone';

  constructor(host: ExecutorHost) {
    this.#host = host;
  }

  /** Gone is also one that nothing names. */
  look({ spec, folder }: RunContext): Look {
    const claim = readClaim(folder);
    const holder =
      claim === undefined ? findStray(this.#host, spec.key)?.holder?.identity : claim.holder;
    this.#last = holder === undefined ? 'gone' : this.#follow(holder).look();
    return this.#last;
  }

  /** Since the last look; costs next to nothing. */
  hasChanged(): boolean {
    return this.#last !== (this.#followed?.process.look() ?? 'gone');
  }

  #follow(holder: ProcessIdentity): FollowedProcess {
    const name = `${holder.pid} ${holder.startTime} ${holder.bootId}`;
    if (this.#followed?.name !== name) {
      this[Symbol.dispose]();
      this.#followed = { name, process: this.#host.processes.follow(holder) };
    }
    return this.#followed.process;
  }

  [Symbol.dispose](): void {
    this.#followed?.process[Symbol.dispose]();
    this.#followed = undefined;
  }
}
