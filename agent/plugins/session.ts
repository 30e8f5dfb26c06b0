/**
 * One live plugin in the agent's hands, from ready to lost: its client, streams and health checks. `lost` resolves with
 * the reason when the process has ended, has been silent for the dead time, or answers health checks and nothing else.
 */
import { isAlive } from './ending.ts';
import { GrpcExecutorClient } from './client.ts';
import type { FingerprintFacts } from './convert.ts';
import { serves } from './link.ts';
import type { LivePlugin } from './live-plugin.ts';
import type { PluginDeps } from './options.ts';
import { boundLog, boundOutput, lastLine, logFile, sizeOf } from './plugin-log.ts';
import type { RunRef, SeenEnd } from './port.ts';
import { identityOf } from './record.ts';
import type { InstanceClient } from './routing.ts';
import { outFile } from './run-dir.ts';
import { holdStreams } from './streams.ts';

export interface SessionSink {
  fingerprint(facts: FingerprintFacts): void;
  wake(ref: RunRef | undefined, end?: SeenEnd): void;
  /** Stage one of the health check: no answer in time, or an answer again. */
  slow(slow: boolean): void;
}

export class PluginSession {
  readonly live: LivePlugin;
  readonly client: InstanceClient;
  readonly lost: Promise<string>;
  readonly #deps: PluginDeps;
  readonly #sink: SessionSink;
  #resolveLost: (reason: string) => void = () => undefined;
  #lostReason: string | undefined;
  /** Since its last fingerprint. */
  #quietMs = 0;

  constructor(
    live: LivePlugin,
    deps: PluginDeps,
    facts: { paramsSchema: unknown; sink: SessionSink },
  ) {
    this.live = live;
    this.#deps = deps;
    this.#sink = facts.sink;
    const { calls } = deps.timings;
    const { paramsSchema } = facts;
    const preparesOnce = live.info.capabilities?.preparesOnce ?? false;
    const known = { paramsSchema, calls, preparesOnce };
    this.client = new GrpcExecutorClient(live.record.name, live.link, known);
    this.lost = new Promise((resolve) => (this.#resolveLost = resolve));
  }

  get isAlive(): boolean {
    return isAlive(this.#deps, identityOf(this.live.record));
  }

  /** Why it is over; '' while it is not, or when that is not known yet. */
  get lostReason(): string {
    return this.#lostReason ?? '';
  }

  /** It is over for this reason, as whoever has ended it knows best. */
  lose(reason: string): void {
    this.#lostReason ??= reason;
    this.#resolveLost(reason);
  }

  /** Opens the streams and begins the health checks. */
  begin(): void {
    const { clock, log, timings } = this.#deps;
    void this.#watchExit();
    void this.#watchHealth();
    const sink = {
      fingerprint: (facts: FingerprintFacts) => {
        this.#quietMs = 0;
        this.#sink.fingerprint(facts);
      },
      wake: (ref: RunRef | undefined, end?: SeenEnd) => this.#sink.wake(ref, end),
      broken: () => this.#lookAlive(),
    };
    holdStreams(this.live.link, sink, { clock, log, retry: timings.streamRetry });
  }

  /** Lets go: the process is left as it is. */
  close(): void {
    this.live.link.close();
    this.lose('the agent lets go of it');
  }

  async #watchExit(): Promise<void> {
    const log = logFile(this.#deps.configureFacts.stateDir, this.live.record.name);
    const from = await sizeOf(log);
    this.live.spawned?.onEnd((how) => {
      void lastLine(log, from)
        .catch(() => '')
        .then((said) => this.lose(`it ${how}${said === '' ? '' : `; it said: ${said}`}`));
    });
  }

  async #watchHealth(): Promise<void> {
    const { clock, timings } = this.#deps;
    const { link } = this.live;
    for (;;) {
      await clock.sleep(timings.healthEveryMs, link.closed).catch(() => undefined);
      if (link.closed.aborted) return;
      const onSlow = (): void => this.#sink.slow(true);
      const answered = await serves(link, { clock, timings, alive: () => this.isAlive, onSlow });
      if (link.closed.aborted) return;
      if (!this.isAlive) {
        this.#lookAlive();
        continue;
      }
      if (!answered) return this.lose(`it did not answer for ${timings.deadMs} ms`);
      this.#sink.slow(false);
      // Counted in checks, as in `serves`.
      this.#quietMs += timings.healthEveryMs;
      if (this.#quietMs > timings.quietMs)
        return this.lose(
          `it answers health checks, but has told nothing of its executor for ${timings.quietMs} ms`,
        );
      await this.#boundFiles();
    }
  }

  /** A process that is not our child leaves no exit event. */
  #lookAlive(): void {
    if (this.live.spawned === undefined && !this.isAlive) this.lose('it ended');
  }

  async #boundFiles(): Promise<void> {
    const { configureFacts, timings, log } = this.#deps;
    const { name, runDir } = this.live.record;
    try {
      await boundLog(logFile(configureFacts.stateDir, name), timings.logLimitBytes);
      await boundOutput(outFile(runDir), timings.logLimitBytes);
    } catch (error) {
      log.warn('plugin.log-not-bounded', { error });
    }
  }
}

/** Its process is no more, or counts as dead. */
export function isLostAlready(session: PluginSession): boolean {
  return session.lostReason !== '' || !session.isAlive;
}
