/**
 * Commands of this host as the SDK holds and serves them. Whether it is enabled at all is the agent's config.
 *
 * Limits: memory only where the operator asks for it (`limitAddressSpace`). CPU is not limited, nor is the number of processes (`ulimit -u` counts per user, not per run).
 * The command sees the host's files and network: this executor is for work that the operator trusts.
 */
import { HeldExecutor, type ExecutorDefinition } from '../../plugins/sdk/index.ts';
import { findAccount } from './account.ts';
import { allowedNames, environmentOf } from './environment.ts';
import { config, params, type Config, type Params } from './settings.ts';

export const processExecutor: ExecutorDefinition<Config, Params> = {
  name: 'process',
  version: '0.1.0',
  capabilities: { held: true },
  config,
  params,
  async create({ envAllow, user, limitAddressSpace, maxOutputBytes, maxProcesses }, host) {
    const isAllowed = allowedNames(envAllow);
    const own = process.env;
    const account =
      user === undefined ? {} : { user: { ...(await findAccount(user)), maxProcesses } };
    return new HeldExecutor<Params>({
      host,
      env: own,
      work: {
        command: ({ spec }) => ({
          argv: spec.params.Command,
          cwd: spec.params.WorkingDirectory ?? '.',
          env: environmentOf(spec, { own, isAllowed }),
          maxAddressSpaceBytes: limitAddressSpace ? spec.limits.memoryBytes : 0,
          maxOutputBytes,
          ...account,
        }),
        paramsOf: (argv) => ({ Command: [...argv] }),
      },
    });
  },
};
