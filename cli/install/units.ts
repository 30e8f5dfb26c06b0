/** The units as they are installed: the templates of a release with the paths of this host. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { LAYOUT, PREFIX, SERVICES, type ServiceName } from './layout.ts';
import type { FileStep } from './steps.ts';

/** What decides on the text of the units; kept in the record of the installation. */
export interface UnitChoices {
  /** Absolute. */
  readonly node: string;
  /** There is a group `docker`; a unit that names a group which is not there does not start. */
  readonly docker: boolean;
  /** The agent has the profile for the process executor. */
  readonly process: boolean;
}

/** The files of one service. */
export function unitFiles(
  release: string,
  service: ServiceName,
  choices: UnitChoices,
): readonly FileStep[] {
  const { unit } = SERVICES[service];
  const main = unitFile(`${LAYOUT.units}/${unit}`, render(release, unit, choices));
  if (service !== 'agent' || !choices.process) return [main];
  const profile = render(release, `${unit}.d/process.conf`, choices);
  return [main, unitFile(processProfile, profile)];
}

/** Lines of the agent's unit that only the docker executor takes. */
const FOR_DOCKER =
  /^(SupplementaryGroups=docker|(CapabilityBoundingSet|AmbientCapabilities)=CAP_DAC_OVERRIDE)\n/gm;

export const processProfile = `${LAYOUT.units}/${SERVICES.agent.unit}.d/10-process.conf`;

function unitFile(path: string, content: string): FileStep {
  return { kind: 'file', path, content, mode: 0o644, owner: 'root', group: 'root' };
}

function render(release: string, name: string, { node, docker }: UnitChoices): string {
  const file = join(release, 'deploy', name);
  if (!existsSync(file))
    throw new LimpetError('unavailable', `the release has no deploy/${name}; unpack it anew`);
  const text = readFileSync(file, 'utf8').replaceAll('@NODE@', node).replaceAll('@PREFIX@', PREFIX);
  return docker ? text : text.replaceAll(FOR_DOCKER, '');
}
