/** From a run's spec to the body of the engine's create call. */
import { LimpetError, type RunSpec } from '../../plugins/sdk/index.ts';
import type { DockerConfig } from './config.ts';
import { runLabels, type Identity } from './labels.ts';
import type { DockerParams } from './params.ts';

export type CreateOptions = ReturnType<typeof createOptions>;

function variables(spec: RunSpec<DockerParams>): string[] {
  const own = Object.entries(spec.env).map(([name, value]) => `${name}=${value}`);
  const older = (spec.params.EnvironmentVariables ?? []).filter(
    (line) => !(line.slice(0, line.indexOf('=')) in spec.env),
  );
  return [...older, ...own];
}

function networkMode(network: string, allowed: DockerConfig['networks']): string {
  const known = allowed.find((name) => name === network);
  if (known === undefined)
    throw new LimpetError(
      'refused',
      `network '${network}' is not allowed on this node; allowed are ${allowed.join(', ')} (networks in the docker executor's config)`,
    );
  return known === 'default' ? 'bridge' : known;
}

/** Disk has no limit here: it needs an xfs backing with project quotas, which few engines have. */
function hostConfig(spec: RunSpec<DockerParams>, config: DockerConfig) {
  const { limits, params } = spec;
  const memory = limits.memoryBytes > 0 ? limits.memoryBytes : undefined;
  return {
    NanoCpus: limits.cpuMillis > 0 ? limits.cpuMillis * 1e6 : undefined,
    Memory: memory,
    // Equal to Memory: no swap on top of it.
    MemorySwap: memory,
    PidsLimit: limits.pids > 0 ? Math.min(limits.pids, config.pidsLimit) : config.pidsLimit,
    NetworkMode: networkMode(spec.network, config.networks),
    SecurityOpt: ['no-new-privileges'],
    CapDrop: config.capDrop,
    Init: params.Init,
    ReadonlyRootfs: params.ReadOnlyRoot,
    Tmpfs: params.Tmpfs,
    Ulimits: params.Ulimits,
    // A bind of a folder that does not exist is an error here; `Binds` would create it as root.
    Mounts: spec.mounts.map((m) => ({
      Type: 'bind',
      Source: m.source,
      Target: m.target,
      ReadOnly: m.readOnly,
    })),
    LogConfig: {
      Type: 'json-file',
      Config: { 'max-size': config.logSize, 'max-file': String(config.logFiles) },
    },
    RestartPolicy: { Name: 'no' },
    // AutoRemove would take the exit code away with it.
    AutoRemove: false,
  };
}

/** LimpetError `refused` when this node does not allow what the spec asks for. */
export function createOptions(
  spec: RunSpec<DockerParams>,
  image: string,
  { config, identity }: { readonly config: DockerConfig; readonly identity: Identity },
) {
  const { params } = spec;
  return {
    Image: image,
    Entrypoint: params.Entrypoint,
    Cmd: params.Parameters,
    Env: variables(spec),
    WorkingDir: params.WorkingDirectory,
    User: params.User,
    StopSignal: params.StopSignal,
    Labels: runLabels(identity, spec),
    AttachStdin: false,
    OpenStdin: false,
    Tty: false,
    HostConfig: hostConfig(spec, config),
  };
}
