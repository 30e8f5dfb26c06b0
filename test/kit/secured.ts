/** A cluster whose nodes join with tokens: the broker, the requester and what the agents need, all made by the product. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { newKey, type Key } from '../../adapters/authority/claims.ts';
import { startAuthorityBroker, type AuthorityBroker } from './authority-broker.ts';
import { Cluster } from './cluster.ts';
import { freePort } from './nats-server.ts';
import { programDir } from './program-dir.ts';
import type { Teardown } from './teardown.ts';
import type { JsonObject, TestAgent } from './test-agent.ts';

const made = z.looseObject({ id: z.string(), token: z.string() });

export interface SecuredOptions {
  readonly tls?: boolean;
  /** Laid over the requester's `nodes`. */
  readonly nodes?: JsonObject;
}

export interface Member {
  readonly agent: TestAgent;
  readonly key: Key;
  readonly keyFile: string;
  readonly tokenFile: string;
  /** Credentials as the agent holds them. */
  credentials(): { readonly type: 'jwt'; readonly jwt: string; readonly seed: string };
}

export class Secured {
  readonly cluster: Cluster;
  readonly broker: AuthorityBroker;

  constructor(cluster: Cluster, broker: AuthorityBroker) {
    this.cluster = cluster;
    this.broker = broker;
  }

  async token(body: JsonObject = {}): Promise<string> {
    return (await this.cluster.api.call('POST', 'limpet/node-tokens', made, { body })).token;
  }

  async order(node: string, action: 'approve' | 'reject' | 'delete', message = ''): Promise<void> {
    await this.cluster.api.call('PUT', `orchestrator/nodes/${node}`, z.looseObject({}), {
      body: { Action: action, Message: message },
    });
  }

  /** With a key of its own; not started yet. */
  member(name: string, token = '', config: JsonObject = {}): Member {
    const { folder } = this.cluster;
    const [keyFile, tokenFile] = [join(folder, `${name}.nkey`), join(folder, `${name}.token`)];
    const key = newKey('user');
    writeFileSync(keyFile, `${key.seed}\n`, { mode: 0o600 });
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const nats = { servers: [this.broker.url], keyFile, joinTokenFile: tokenFile };
    const agent = this.cluster.addAgent({ nats, ...config }, name);
    const credentials = () => {
      const jwt = readFileSync(join(agent.folder, 'nats.jwt'), 'utf8').trim();
      return { type: 'jwt', jwt, seed: key.seed } as const;
    };
    return { agent, key, keyFile, tokenFile, credentials };
  }
}

export async function startSecured(
  t: Teardown,
  { tls = false, nodes = {} }: SecuredOptions = {},
): Promise<Secured> {
  const broker = await startAuthorityBroker(t, { tls });
  const requester = {
    nats: { servers: [broker.url] },
    authority: broker.folder,
    nodes: { heartbeatIntervalMs: 500, unknownAfterMs: 30_000, unhealthyAfterMs: 60_000, ...nodes },
  };
  const cluster = new Cluster(t, programDir(t), broker, await freePort(), { requester });
  t.teardown(() => cluster.end());
  await cluster.startRequester();
  return new Secured(cluster, broker);
}
