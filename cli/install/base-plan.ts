/** What every installation has, whatever it is for: the release, its command, the group, and the record of all this. */
import { LimpetError } from '../../core/errors.ts';
import { GROUP, LAYOUT, SERVICES, type ServiceName } from './layout.ts';
import { recordFile, type InstallRecord } from './record.ts';
import { versionFolder, versionName, type Release } from './release.ts';
import type { Step } from './steps.ts';
import { processProfile, unitFiles } from './units.ts';

/** What a plan is made from; found out by `facts.ts`, and by nothing else. */
export interface Facts {
  /** Folder of the release that is to be installed. */
  readonly source: string;
  readonly release: Release;
  /** Absolute path. */
  readonly node: string;
  /** Version name that `current` leads to. */
  readonly current: string | undefined;
  readonly record: InstallRecord | undefined;
  readonly hasDockerGroup: boolean;
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** Texts of files that are there. */
  readonly files: Readonly<Record<string, string>>;
}

export interface BaseWishes {
  readonly services: readonly ServiceName[];
  readonly process: boolean;
}

/** What is recorded after this installation. */
export function recordOf(facts: Facts, { services, process }: BaseWishes): InstallRecord {
  const { record } = facts;
  const users = services.map((name) => SERVICES[name].user);
  const made = (names: readonly string[], there: readonly string[], old: readonly string[] = []) =>
    unique([...old, ...names.filter((name) => !there.includes(name))]);
  return {
    v: 1,
    node: facts.node,
    docker: facts.hasDockerGroup,
    process: process || record?.process === true,
    services: unique([...(record?.services ?? []), ...services]),
    users: made(users, facts.users, record?.users),
    groups: made([GROUP], facts.groups, record?.groups),
  };
}

/** Errors: `conflict` when another version is installed. */
export function basePlan(facts: Facts, wishes: BaseWishes): Step[] {
  const { source, release, node, current } = facts;
  const [folder, name] = [versionFolder(release), versionName(release)];
  if (current !== undefined && current !== name)
    throw new LimpetError(
      'conflict',
      `limpet ${current} is installed, and this is ${name}: run \`limpet agent upgrade\` with this release first, or the installed \`limpet install\``,
    );
  const root = { owner: 'root', group: 'root' } as const;
  const ours = { owner: 'root', group: GROUP } as const;
  return [
    { kind: 'group', name: GROUP },
    ...wishes.services.map((service): Step => {
      return { kind: 'user', name: SERVICES[service].user, group: GROUP };
    }),
    { kind: 'folder', path: LAYOUT.prefix, mode: 0o755, ...root },
    // Before the first thing that it tells of.
    recordFile(recordOf(facts, wishes)),
    { kind: 'folder', path: LAYOUT.versions, mode: 0o755, ...root },
    { kind: 'release', from: source, path: folder },
    { kind: 'cache', release: folder, node },
    { kind: 'link', path: LAYOUT.current, target: `versions/${name}` },
    { kind: 'link', path: LAYOUT.command, target: `${LAYOUT.current}/bin/limpet` },
    { kind: 'folder', path: LAYOUT.etc, mode: 0o750, ...ours },
    { kind: 'folder', path: LAYOUT.data, mode: 0o711, ...ours },
  ];
}

/** Their unit files and what makes them known. */
export function servicePlan(
  facts: Facts,
  wishes: BaseWishes,
  { start, restartFor }: { readonly start: boolean; readonly restartFor: readonly string[] },
): Step[] {
  const choices = recordOf(facts, wishes);
  const files = wishes.services.flatMap((service) => unitFiles(facts.source, service, choices));
  const profile = files.some(({ path }) => path === processProfile);
  const folder = processProfile.slice(0, processProfile.lastIndexOf('/'));
  const access = { mode: 0o755, owner: 'root', group: 'root' } as const;
  return [
    ...(profile ? [{ kind: 'folder', path: folder, ...access } as const] : []),
    ...files,
    { kind: 'reload' },
    ...wishes.services.map((service): Step => {
      return { kind: 'service', service, start, restartFor: [...restartFor, ...pathsOf(service)] };
    }),
  ];

  function pathsOf(service: ServiceName): string[] {
    return files.map(({ path }) => path).filter((path) => path.includes(SERVICES[service].unit));
  }
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
