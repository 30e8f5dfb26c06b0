/** The process executor as the SDK serves it. Whether it is enabled at all is the agent's config. */
import type { ExecutorDefinition } from '../../plugins/sdk/index.ts';
import { findAccount } from './account.ts';
import { allowedNames } from './environment.ts';
import { ProcessExecutor } from './executor.ts';
import { config, params, type Config, type Params } from './settings.ts';

export const processExecutor: ExecutorDefinition<Config, Params> = {
  name: 'process',
  version: '0.1.0',
  capabilities: { held: true },
  config,
  params,
  async create({ envAllow, user, limitAddressSpace, maxProcesses }, host) {
    const isAllowed = allowedNames(envAllow);
    const account =
      user === undefined ? {} : { account: { ...(await findAccount(user)), maxProcesses } };
    return new ProcessExecutor({
      host,
      env: process.env,
      isAllowed,
      limitAddressSpace,
      ...account,
    });
  },
};
