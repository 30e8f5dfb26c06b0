/** `limpet install agent` as steps. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { parseJoinToken } from '../../wire/join-token.ts';
import { basePlan, servicePlan, type Facts } from './base-plan.ts';
import { mergeConfig, type JsonObject } from './config-merge.ts';
import { GROUP, LAYOUT } from './layout.ts';
import type { FileStep, Step } from './steps.ts';

export interface AgentWishes {
  /** The broker's URL. */
  readonly join: string | undefined;
  readonly token: string | undefined;
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly process: boolean;
  /** PEM of the authority that has signed the broker's certificate. */
  readonly ca: string | undefined;
  readonly start: boolean;
}

/** Errors: `invalid-argument`, `invalid-config`, `conflict`. */
export function agentPlan(facts: Facts, wishes: AgentWishes): readonly Step[] {
  const base = { services: ['agent'], process: wishes.process } as const;
  return [
    ...basePlan(facts, base),
    configFile(facts, wishes),
    ...authorityFile(wishes.ca),
    ...[LAYOUT.pluginsParent, LAYOUT.plugins].map(pluginFolder),
    { kind: 'folder', path: LAYOUT.keys, mode: 0o700, owner: 'root', group: 'root' },
    { kind: 'key', path: LAYOUT.agentKey },
    tokenFile(wishes.token),
    ...servicePlan(facts, base, {
      start: wishes.start,
      restartFor: [LAYOUT.agentConfig, LAYOUT.agentCa, LAYOUT.joinToken, LAYOUT.agentKey],
    }),
  ];
}

/** Whoever may write here decides what runs as root. */
function pluginFolder(path: string): Step {
  return { kind: 'folder', path, mode: 0o755, owner: 'root', group: 'root' };
}

function configFile({ files }: Facts, wishes: AgentWishes): FileStep {
  const text = files[LAYOUT.agentConfig];
  const { join, name, labels, process, ca } = wishes;
  if (text === undefined && join === undefined)
    throw new LimpetError(
      'invalid-argument',
      '--join is missing: the URL of the broker, such as nats://requester-host:4222',
    );
  if (join !== undefined && !/^(nats|tls):\/\/[^\s/@]+$/.test(join))
    throw new LimpetError(
      'invalid-argument',
      `--join ${join}: expected nats://HOST:PORT or tls://HOST:PORT`,
    );
  const defaults = {
    $schema: `${LAYOUT.current}/docs/reference/agent.config.schema.json`,
    dataDir: LAYOUT.agentData,
    pluginDir: LAYOUT.plugins,
  };
  const nats = {
    ...(join === undefined ? {} : { servers: [join] }),
    ...(ca === undefined ? {} : { tls: { caFile: LAYOUT.agentCa } }),
  };
  const asked = {
    ...(name === undefined ? {} : { name }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(nats).length === 0 ? {} : { nats }),
    ...(process ? { executors: { process: processExecutor(text) } } : {}),
  };
  const content = mergeConfig({ path: LAYOUT.agentConfig, text }, defaults, asked);
  return {
    ...{ kind: 'file', path: LAYOUT.agentConfig, content },
    ...{ mode: 0o640, owner: 'root', group: GROUP },
  };
}

const withUser = z.looseObject({
  executors: z.looseObject({
    process: z.looseObject({ config: z.looseObject({ user: z.string() }) }),
  }),
});

/** Without a user, commands would run as the plugin does: as root. */
function processExecutor(text: string | undefined): JsonObject {
  const hasUser = text !== undefined && withUser.safeParse(parseConfig(text)).success;
  return { enabled: true, ...(hasUser ? {} : { config: { user: 'nobody' } }) };
}

function parseConfig(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function authorityFile(content: string | undefined): FileStep[] {
  if (content === undefined) return [];
  if (!content.includes('-----BEGIN CERTIFICATE-----'))
    throw new LimpetError('invalid-argument', '--ca: expected certificates in PEM form');
  return [
    {
      ...{ kind: 'file', path: LAYOUT.agentCa, content },
      ...{ mode: 0o644, owner: 'root', group: GROUP },
    },
  ];
}

/** Without a token on the command line the one that is there stays. */
function tokenFile(token: string | undefined): FileStep {
  if (token !== undefined) parseJoinToken(token);
  return {
    ...{ kind: 'file', path: LAYOUT.joinToken, secret: true, onlyIfMissing: token === undefined },
    ...{ content: token === undefined ? '' : `${token}\n` },
    ...{ mode: 0o600, owner: 'root', group: 'root' },
  };
}
