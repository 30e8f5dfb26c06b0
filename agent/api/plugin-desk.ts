/** What the routes of plugins need, out of the agent's parts. */
import type { Logger } from '../../adapters/log/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { PluginFact } from '../../wire/plugins.ts';
import type { LiveExecution } from '../executions/live.ts';
import type { ExecutorHealth, PluginHost, PluginSpec } from '../plugins/port.ts';
import { logFile } from '../plugins/plugin-log.ts';
import { loadRecord } from '../plugins/record.ts';
import type { ToldSchemas } from '../plugins/schemas.ts';
import type { PluginDesk } from './plugin-routes.ts';

export interface DeskParts {
  readonly host: Pick<PluginHost, 'health'>;
  readonly specs: () => readonly PluginSpec[];
  readonly store: Store;
  readonly log: Logger;
  readonly schemas: Pick<ToldSchemas, 'of'>;
  /** Of plugin logs. */
  readonly folder: string;
  readonly live: () => Iterable<LiveExecution>;
}

const HELD = ['running', 'stopping'];

export function pluginDesk({ host, specs, store, log, ...parts }: DeskParts): PluginDesk {
  const runs = (name: string): number =>
    [...parts.live()].filter(
      ({ record }) => record.placement.task.Engine.Type === name && HELD.includes(record.state),
    ).length;
  return {
    set: () =>
      host.health().map((health) => ({ ...factOf(health, specs()), runs: runs(health.name) })),
    restart: async (name) => {
      throw new LimpetError('unimplemented', `plugin ${name} cannot be restarted`);
    },
    attributes: (name) => host.health().find((health) => health.name === name)?.attributes ?? {},
    record: (name) => loadRecord(store, name, log),
    schemas: (name) => parts.schemas.of(name),
    logFile: (name) => logFile(parts.folder, name),
  };
}

function factOf(health: ExecutorHealth, specs: readonly PluginSpec[]): PluginFact {
  const { name, reason, version, pid, instance, restarts } = health;
  const command = specs.find((spec) => spec.name === name)?.command ?? [];
  const state = health.pending ? 'starting' : pid === undefined ? 'restarting' : 'running';
  return {
    ...{ name, source: 'config', command, path: command[0] ?? '', pinned: false, state },
    ...{ health: health.health, reason, version, restarts, runs: 0, capabilities: [] },
    ...(pid === undefined ? {} : { pid }),
    ...(instance === undefined ? {} : { instance }),
    reattached: health.reattached ?? false,
  };
}
