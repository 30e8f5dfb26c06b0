/** The streams that the agent holds open to each live plugin: opened again when they break, until the link is let go. */
import type { Clock } from '../../adapters/clock/port.ts';
import { backoffMs, type Backoff } from '../../core/backoff.ts';
import { LimpetError } from '../../core/errors.ts';
import type { Event } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { StdioData_Channel as Channel } from '../../plugins/proto/gen/plugin/plugin_pb.js';
import type { Logger } from '../../adapters/log/port.ts';
import { toFingerprint, toObserved, type FingerprintFacts } from './convert.ts';
import type { PluginLink } from './link.ts';
import type { RunRef, SeenEnd } from './port.ts';

export interface StreamsSink {
  fingerprint(facts: FingerprintFacts): void;
  wake(ref: RunRef | undefined, end?: SeenEnd): void;
  /** A stream broke: the process may be gone. */
  broken(): void;
}

export interface StreamsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly retry: Backoff;
}

/**
 * A Go plugin stands still when nobody reads what it prints: read from the first moment, before anything is asked of it.
 * Returns at once; ends when the link is closed.
 */
export function drainPrints(link: PluginLink, deps: StreamsDeps): void {
  const sink = { broken: () => undefined };
  void keepOpen(link, () => drainStdio(link, deps.log), { sink, deps });
}

/** Returns at once; everything ends when the link is closed. */
export function holdStreams(link: PluginLink, sink: StreamsSink, deps: StreamsDeps): void {
  const keep = (open: () => Promise<void>): void => void keepOpen(link, open, { sink, deps });
  keep(() => readFingerprints(link, sink));
  keep(eventReader(link, sink));
}

interface Keep {
  readonly sink: Pick<StreamsSink, 'broken'>;
  readonly deps: StreamsDeps;
}

async function keepOpen(link: PluginLink, open: () => Promise<void>, keep: Keep): Promise<void> {
  const { clock, log, retry } = keep.deps;
  for (let attempt = 0; !link.closed.aborted; attempt++) {
    const openedAt = clock.uptime();
    try {
      await open();
    } catch (error) {
      const { code, message } = LimpetError.from(error);
      if (code === 'unimplemented' || link.closed.aborted) return;
      log.debug('plugin.stream-broken', { code, message });
    }
    if (clock.uptime() - openedAt > retry.lastMs) attempt = 0;
    await clock.sleep(backoffMs(retry, attempt), link.closed).catch(() => undefined);
    if (!link.closed.aborted) keep.sink.broken();
  }
}

async function drainStdio(link: PluginLink, log: Logger): Promise<void> {
  for await (const { channel, data } of link.stdio.streamStdio({}, { signal: link.closed })) {
    const text = Buffer.from(data).toString('utf8').trimEnd();
    log.debug('plugin.printed', { stream: channel === Channel.STDERR ? 'stderr' : 'stdout', text });
  }
}

async function readFingerprints(link: PluginLink, sink: StreamsSink): Promise<void> {
  for await (const message of link.executor.fingerprint({}, { signal: link.closed }))
    sink.fingerprint(toFingerprint(message));
}

/** Numbers go on over a broken stream; what may have been missed is a wake-up for everything. */
function eventReader(link: PluginLink, sink: StreamsSink): () => Promise<void> {
  let seen = 0n;
  let first = true;
  return async () => {
    if (!first) sink.wake(undefined);
    first = false;
    for await (const event of link.executor.events({ sinceSeq: seen }, { signal: link.closed })) {
      seen = event.seq;
      const { key } = event;
      if (event.gap || key === undefined) sink.wake(undefined);
      else sink.wake({ executionId: key.executionId, run: key.run }, endOf(event));
    }
  };
}

/** Only an end is worth telling: nothing can undo it. */
function endOf({ state, log }: Event): SeenEnd | undefined {
  const seen = state && toObserved(state);
  if (seen?.phase !== 'exited') return undefined;
  const bytes = log.reduce((sum, { data }) => sum + data.length, 0);
  return BigInt(bytes) === state?.logOffset ? { seen, log } : { seen };
}
