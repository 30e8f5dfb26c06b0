/** One live instance of a plugin, what it has told of itself, and its orderly end. */
import { clear, type Acquired } from './acquire.ts';
import type { FingerprintFacts } from './convert.ts';
import { shutDown } from './ending.ts';
import type { LivePlugin } from './live-plugin.ts';
import type { PluginDeps } from './options.ts';
import type { RunRef, SeenEnd } from './port.ts';
import { identityOf } from './record.ts';
import { isLostAlready, PluginSession } from './session.ts';

export interface InstanceSink {
  /** It has told its health; `before` is what it told last. */
  fingerprint(instance: Instance, before: FingerprintFacts | undefined): void;
  wake(ref: RunRef | undefined, end?: SeenEnd): void;
  slow(instance: Instance, slow: boolean): void;
}

export class Instance {
  readonly session: PluginSession;
  readonly reattached: boolean;
  readonly #deps: PluginDeps;
  #fingerprint: FingerprintFacts | undefined;

  /** Opens its streams and begins its health checks. */
  constructor(acquired: Acquired, deps: PluginDeps, sink: InstanceSink) {
    const { live, paramsSchema, reattached } = acquired;
    this.#deps = deps;
    this.reattached = reattached;
    this.session = new PluginSession(live, deps, {
      paramsSchema,
      sink: {
        fingerprint: (facts) => {
          const before = this.#fingerprint;
          this.#fingerprint = facts;
          sink.fingerprint(this, before);
        },
        wake: (ref, end) => {
          sink.wake(ref, end);
        },
        slow: (slow) => {
          sink.slow(this, slow);
        },
      },
    });
    const { Pid: pid, instance } = live.record;
    const event = reattached ? 'plugin.reattached' : 'plugin.started';
    deps.log.info(event, { pid, instance, version: live.info.version });
    this.session.begin();
  }

  get live(): LivePlugin {
    return this.session.live;
  }

  /** The newest; undefined before the first. */
  get fingerprint(): FingerprintFacts | undefined {
    return this.#fingerprint;
  }

  /** Ends the process in an orderly way; its runs go on. */
  async shutDown(): Promise<void> {
    const { record, link } = this.live;
    if (!isLostAlready(this.session)) await shutDown(this.#deps, identityOf(record), link);
  }

  /** The same, and nothing of it is left but its log. */
  async retire(): Promise<void> {
    await this.shutDown();
    this.session.close();
    await clear(this.live.record, this.#deps);
  }
}
