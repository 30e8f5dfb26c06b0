/** What of the agent's config may change while it runs; everything else waits for the next start. */
import { Reload } from '../adapters/reload/reload.ts';
import type { LeveledLog } from '../adapters/log/pino-log.ts';
import type { AgentConfig } from './config.ts';
import { checkNames } from './plugins/names.ts';
import { pluginSpecs } from './programs.ts';

const LIVE = [
  'labels',
  'capacity',
  'executors',
  'plugins',
  'pluginDir',
  'allowLocal',
  'allowEnv',
  'urlDownload',
  'inlineArchive',
  'results',
  'stopGraceMs',
  'onStop',
  'pidsLimit',
  'minFreeBytes',
  'sweepGraceMs',
  'keepFinishedMs',
  'keepFinishedCount',
  'housekeeping',
  'pluginHealth',
  'log',
];

export interface AgentReloadParts {
  readonly config: AgentConfig;
  read(this: void): Promise<AgentConfig>;
  readonly log: LeveledLog;
  now(): number;
}

export function agentReload(
  { log, read, ...parts }: AgentReloadParts,
  applied: readonly ((config: AgentConfig) => Promise<void> | void)[],
): Reload<AgentConfig> {
  const setLevel = ({ log: { level } }: AgentConfig): void => {
    log.setLevel(level);
  };
  const checked = async (): Promise<AgentConfig> => {
    const config = await read();
    checkNames(pluginSpecs(config));
    return config;
  };
  return new Reload({ ...parts, read: checked, log, live: LIVE, applied: [setLevel, ...applied] });
}
