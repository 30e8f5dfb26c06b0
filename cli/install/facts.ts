/** What a plan is made from, found out without changing anything. */
import { basename } from 'node:path';
import type { Facts } from './base-plan.ts';
import type { Host } from './host.ts';
import { GROUP, LAYOUT, SERVICES } from './layout.ts';
import { readRecord } from './record.ts';
import { readRelease } from './release.ts';

const FILES = [LAYOUT.agentConfig, LAYOUT.requesterConfig, `${LAYOUT.authority}/authority.json`];

export function findFacts(host: Host, source: string, node: string): Facts {
  const current = host.readLink(LAYOUT.current);
  const texts = FILES.map((path) => [path, host.read(path)] as const);
  return {
    source,
    release: readRelease(source),
    node,
    current: current === undefined ? undefined : basename(current),
    record: readRecord(host),
    hasDockerGroup: host.groupId('docker') !== undefined,
    users: Object.values(SERVICES)
      .map(({ user }) => user)
      .filter((name) => host.userId(name) !== undefined),
    groups: host.groupId(GROUP) === undefined ? [] : [GROUP],
    files: Object.fromEntries(
      texts.flatMap(([path, text]) => (text === undefined ? [] : [[path, text]])),
    ),
  };
}
