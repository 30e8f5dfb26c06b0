/** Checks of the host that are the same for agent and requester: Node, clock, control groups, machine id. */
import { existsSync } from 'node:fs';
import { LimpetError } from '../../core/errors.ts';
import { readMachineId } from '../identity/machine-id.ts';
import { failure, fine, skipped, warning, type Check, type Finding } from './check.ts';
import { outputOf } from './command.ts';

/** What `engines` of the package says. */
const LEAST_NODE = [20, 11] as const;
const CGROUPS = '/sys/fs/cgroup';

export function nodeVersion(version: string = process.versions.node): Check {
  return {
    name: 'node',
    look: () => {
      const [major = 0, minor = 0] = version.split('.').map(Number);
      const [least, leastMinor] = LEAST_NODE;
      const old = major < least || (major === least && minor < leastMinor);
      return old
        ? failure(`Node ${version}`, `install Node ${least}.${leastMinor} or newer`)
        : fine(`Node ${version} (${process.execPath})`);
    },
  };
}

export function clockSynchronised(): Check {
  return {
    name: 'clock',
    look: async () => {
      const text = await outputOf('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
      const told = text?.trim();
      if (told === 'yes') return fine('synchronised (timedatectl)');
      if (existsSync('/run/systemd/timesync/synchronized')) return fine('synchronised (timesyncd)');
      if (told !== 'no')
        return skipped('timedatectl does not answer: nobody says whether it is synchronised');
      return warning(
        'not synchronised',
        'run a time daemon (systemd-timesyncd, chrony); deadlines, leases and credentials go by the clock',
      );
    },
  };
}

export function cgroupVersion(root = CGROUPS): Check {
  return { name: 'cgroups', look: () => cgroupsOf(root) };
}

function cgroupsOf(root: string): Finding {
  if (existsSync(`${root}/cgroup.controllers`)) return fine('version 2');
  const fix =
    'boot with systemd.unified_cgroup_hierarchy=1; memory limits and OOM handling of units and containers are better there';
  if (existsSync(`${root}/unified`))
    return warning('hybrid (version 1 with a version 2 tree)', fix);
  if (existsSync(root)) return warning('version 1', fix);
  return skipped(`there is no ${root}`);
}

export function machineId(file: string | undefined, ofFolder: string | undefined): Check {
  return {
    name: 'machine id',
    look: async () => {
      const here = await readMachineId(file).catch((thrown: unknown) => LimpetError.from(thrown));
      if (here instanceof LimpetError) return failure(here.message, 'correct machineIdFile');
      if (here === undefined)
        return warning(
          'this machine has none, so a copied data folder would not be noticed',
          'run systemd-machine-id-setup; in a container mount the file of the host and set machineIdFile',
        );
      if (ofFolder !== undefined && ofFolder !== here)
        return failure(
          'the data folder belongs to the agent of another machine',
          'if that one never runs with it again: limpet agent adopt-host; for a copy: limpet agent reset --identity',
        );
      return fine(ofFolder === undefined ? 'known' : 'known, and the one of the data folder');
    },
  };
}
