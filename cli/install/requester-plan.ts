/** `limpet install requester` as steps. */
import { z } from 'zod';
import { basePlan, servicePlan, type Facts } from './base-plan.ts';
import { mergeConfig } from './config-merge.ts';
import { GROUP, LAYOUT, SERVICES, type ServiceName } from './layout.ts';
import { versionFolder } from './release.ts';
import type { Access, FileStep, Step } from './steps.ts';

export interface RequesterWishes {
  /** The broker too. */
  readonly nats: boolean;
  /** By which other hosts reach the broker. */
  readonly hosts: readonly string[];
  readonly start: boolean;
}

const ABOUT = `${LAYOUT.authority}/authority.json`;
const aboutSchema = z.looseObject({ tls: z.boolean() });

/** Errors: `invalid-config`, `conflict`. */
export function requesterPlan(facts: Facts, wishes: RequesterWishes): readonly Step[] {
  const services: readonly ServiceName[] = wishes.nats ? ['nats', 'requester'] : ['requester'];
  const base = { services, process: false };
  const release = versionFolder(facts.release);
  const tls = speaksTls(facts, wishes);
  const args = [
    ...wishes.hosts.flatMap((host) => ['--host', host]),
    ...(wishes.nats ? ['--nats-data', LAYOUT.natsData] : []),
  ];
  return [
    ...basePlan(facts, base),
    { kind: 'authority', release, node: facts.node, args },
    ...authorityAccess(tls, wishes.nats),
    configFile(facts, tls),
    ...servicePlan(facts, base, { start: wishes.start, restartFor: [LAYOUT.requesterConfig] }),
  ];
}

function speaksTls({ files }: Facts, { hosts }: RequesterWishes): boolean {
  const text = files[ABOUT];
  return text === undefined ? hosts.length > 0 : aboutSchema.parse(JSON.parse(text)).tls;
}

/** Each secret for the one program that needs it, and none for the agent. */
function authorityAccess(tls: boolean, nats: boolean): Step[] {
  const shared = { owner: 'root', group: GROUP };
  const requester = { mode: 0o600, owner: SERVICES.requester.user, group: GROUP };
  const broker = { mode: 0o600, owner: nats ? SERVICES.nats.user : 'root', group: GROUP };
  const rights: Record<string, Access> = {
    '': { mode: 0o750, ...shared },
    ...Object.fromEntries(
      ['operator-signing.nk', 'agents.nk', 'joins.nk', 'requester.creds', 'system.creds'].map(
        (name) => [`/${name}`, requester],
      ),
    ),
    '/account.jwt': { mode: 0o640, ...shared },
    '/authority.json': { mode: 0o640, ...shared },
    '/nats-server.conf': { mode: 0o640, ...shared },
    ...(tls
      ? {
          '/tls': { mode: 0o750, ...shared },
          '/tls/ca.pem': { mode: 0o644, ...shared },
          '/tls/server.pem': { mode: 0o644, ...shared },
          '/tls/server.key': broker,
        }
      : {}),
  };
  return Object.entries(rights).map(([name, access]) => ({
    kind: 'access',
    path: `${LAYOUT.authority}${name}`,
    ...access,
  }));
}

function configFile({ files }: Facts, tls: boolean): FileStep {
  const defaults = {
    $schema: `${LAYOUT.current}/docs/reference/requester.config.schema.json`,
    authority: LAYOUT.authority,
    nats: { servers: [`${tls ? 'tls' : 'nats'}://127.0.0.1:4222`] },
  };
  const text = files[LAYOUT.requesterConfig];
  const content = mergeConfig({ path: LAYOUT.requesterConfig, text }, defaults, {
    authority: LAYOUT.authority,
  });
  return {
    ...{ kind: 'file', path: LAYOUT.requesterConfig, content },
    ...{ mode: 0o640, owner: 'root', group: GROUP },
  };
}
