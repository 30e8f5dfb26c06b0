/** What the routes of plugins need, out of the agent's parts. */
import type { Logger } from '../../adapters/log/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import type { PluginSet } from '../plugins/port.ts';
import { logFile } from '../plugins/plugin-log.ts';
import { loadRecord } from '../plugins/record.ts';
import type { ToldSchemas } from '../plugins/schemas.ts';
import type { PluginDesk } from './plugin-routes.ts';

export interface DeskParts {
  readonly plugins: Pick<PluginSet, 'set' | 'restart'>;
  readonly host: Pick<PluginSet, 'health'>;
  readonly store: Store;
  readonly log: Logger;
  readonly schemas: Pick<ToldSchemas, 'of' | 'problems'>;
  /** Of plugin logs. */
  readonly folder: string;
}

export function pluginDesk({ plugins, host, store, log, ...parts }: DeskParts): PluginDesk {
  return {
    set: () =>
      plugins.set().map((fact) => {
        const warnings = parts.schemas.problems(fact.name);
        return warnings.length === 0 ? fact : { ...fact, warnings };
      }),
    restart: (name) => plugins.restart(name),
    attributes: (name) => host.health().find((health) => health.name === name)?.attributes ?? {},
    record: (name) => loadRecord(store, name, log),
    schemas: (name) => parts.schemas.of(name),
    logFile: (name) => logFile(parts.folder, name),
  };
}
