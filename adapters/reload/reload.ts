/**
 * A program's config while it runs. It is read again on order (SIGHUP); what may change changes, the rest is named and
 * waits for the next start. A config that is wrong changes nothing. One order at a time, each is answered.
 */
import { diffSettings } from '../../core/settings-diff.ts';
import { LimpetError } from '../../core/errors.ts';
import type { ReloadReport } from '../../wire/reload.ts';
import type { Logger } from '../log/port.ts';

export interface ReloadDeps<Config extends object> {
  readonly config: Config;
  /** Reads and checks it anew. Errors: `invalid-config`. */
  read(this: void): Promise<Config>;
  /** Paths of fields that may change. */
  readonly live: readonly string[];
  readonly log: Logger;
  now(): number;
  /** After the change, also when nothing but the files that it names may have changed. */
  readonly applied: readonly ((config: Config) => Promise<void> | void)[];
}

export class Reload<Config extends object> {
  readonly #deps: ReloadDeps<Config>;
  #config: Config;
  #last: ReloadReport | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: ReloadDeps<Config>) {
    this.#deps = deps;
    this.#config = deps.config;
  }

  /** As it is in force. */
  get config(): Config {
    return this.#config;
  }

  /** Of the last order. */
  get last(): ReloadReport | undefined {
    return this.#last;
  }

  run(): Promise<ReloadReport> {
    const turn = this.#turn.then(() => this.#reload());
    this.#turn = turn;
    return turn;
  }

  /** Never throws: what is wrong stands in the report. */
  async #reload(): Promise<ReloadReport> {
    const at = this.#deps.now();
    const report = await this.#take(at).catch((thrown: unknown): ReloadReport => {
      const { message } = LimpetError.from(thrown);
      return { at, result: 'refused', reason: message, changed: [], later: [] };
    });
    const { result, reason, changed, later } = report;
    if (result === 'refused') this.#deps.log.error('config.refused', { reason });
    else this.#deps.log.info('config.reloaded', { changed, later });
    this.#last = report;
    return report;
  }

  async #take(at: number): Promise<ReloadReport> {
    const { read, live, applied } = this.#deps;
    const { next, changed, later } = diffSettings(this.#config, await read(), live);
    this.#config = next;
    const failed: string[] = [];
    for (const apply of applied)
      try {
        await apply(next);
      } catch (thrown) {
        failed.push(LimpetError.from(thrown).message);
      }
    const reason = failed.join('; ');
    return { at, result: reason === '' ? 'reloaded' : 'partly', reason, changed, later };
  }
}
