/** Makes the set of plugins of one agent, over its folders. */
import { chmodSync, mkdirSync, realpathSync } from 'node:fs';
import { liveView } from '../../core/live-view.ts';
import { checkNames } from './names.ts';
import { DEFAULT_TIMINGS, type PluginHostOptions } from './options.ts';
import type { PluginSet } from './port.ts';
import { checkRunDir } from './run-dir.ts';
import { ProcessPluginSet } from './set.ts';

/** Makes the folders that are missing, 0700. Errors: `invalid-config`. */
export function createPluginHost(options: PluginHostOptions): PluginSet {
  const { specs, folder = () => undefined, env = process.env, timings, ...given } = options;
  const offered = typeof specs === 'function' ? specs : () => specs;
  checkNames(offered());
  const { runDir, configureFacts } = given;
  for (const made of [runDir, configureFacts.stateDir, configureFacts.socketsDir]) {
    mkdirSync(made, { recursive: true, mode: 0o700 });
    chmodSync(made, 0o700);
  }
  const real = realpathSync(runDir);
  checkRunDir(real);
  const over = typeof timings === 'function' ? timings : () => timings;
  const live = liveView(() => ({ ...DEFAULT_TIMINGS, ...over() }));
  const deps = { ...given, runDir: real, env, timings: live };
  return new ProcessPluginSet({ specs: offered, folder }, deps);
}
