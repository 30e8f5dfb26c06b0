/** What the plugin host may know of the work that is done on its plugins. */
import type { ExecutionState } from '../../core/execution/states.ts';
import type { PluginWork } from '../plugins/port.ts';
import type { ExecutionEngine } from './engine.ts';
import type { LiveExecution } from './live.ts';

const RUNNING: readonly ExecutionState[] = ['running', 'stopping'];

export function pluginWork(
  engine: ExecutionEngine,
  isRecovered: (executor: string) => boolean,
): PluginWork {
  const of = (name: string): LiveExecution[] =>
    [...engine.all()].filter(({ record }) => record.placement.task.Engine.Type === name);
  return {
    isRecovered,
    running: (name) => of(name).filter(({ record }) => RUNNING.includes(record.state)).length,
    unfinished: (name) => of(name).length,
  };
}
