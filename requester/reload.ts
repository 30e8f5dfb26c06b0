/** What of the requester's config may change while it runs; everything else waits for the next start. */
import type { LeveledLog } from '../adapters/log/pino-log.ts';
import { Reload } from '../adapters/reload/reload.ts';
import { liveView } from '../core/live-view.ts';
import { reloadLine } from '../wire/reload.ts';
import { loadConfig, type Config } from './config.ts';

const LIVE = [
  'log',
  'nodes.approval',
  'nodes.heartbeatIntervalMs',
  'nodes.unknownAfterMs',
  'nodes.unhealthyAfterMs',
];

export interface Reloading {
  readonly reload: Reload<Config>;
  /** To build the requester with: its sections that may change are read anew each time. */
  readonly config: Config;
  /** Of the last order that did not go well. */
  problem(this: void): string | undefined;
}

export function requesterReload(
  config: Config,
  file: string | undefined,
  {
    log,
    renewCertificate,
  }: { readonly log: LeveledLog; renewCertificate(this: void): Promise<void> },
): Reloading {
  const reload = new Reload<Config>({
    ...{ config, log, live: LIVE },
    read: () => loadConfig(file),
    now: () => Date.now(),
    applied: [(next) => log.setLevel(next.log.level), () => renewCertificate()],
  });
  return {
    reload,
    config: { ...config, nodes: liveView(() => reload.config.nodes) },
    problem: () => {
      const { last } = reload;
      if (last === undefined || last.result === 'reloaded') return undefined;
      return `the config was read again at ${new Date(last.at).toISOString()}: ${reloadLine(last)}`;
    },
  };
}
