/** Builds what an authority takes: answers to nodes that join, and word to the broker of keys that are void. */
import type { Clock, Random } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { connectTransport } from '../../adapters/nats/nats-transport.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import type { Config } from '../config.ts';
import type { RequesterCore } from '../core.ts';
import { systemTransportOptions } from '../transport.ts';
import { Authority } from './authority.ts';
import { ClaimsPush } from './claims-push.ts';
import { serveJoins } from './serve.ts';
import { JoinTokens } from './tokens.ts';

export interface AuthorityParts {
  readonly config: Config;
  readonly folder: string;
  readonly core: RequesterCore;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface AuthorityAtWork {
  readonly tokens: JoinTokens;
  /** One sentence while the broker may not know of every void key. */
  problem(): readonly string[];
  close(): Promise<void>;
}

/** Errors: `invalid-config`. */
export async function startAuthority(parts: AuthorityParts): Promise<AuthorityAtWork> {
  const { config, folder, core, transport, clock, random, log } = parts;
  const { coordinator, world } = core;
  const authority = Authority.open(folder);
  const system = await connectTransport(systemTransportOptions(config, folder), log);
  const claims = new ClaimsPush({
    ...{ authority, transport: system, world, clock, log },
    timeoutMs: config.nats.requestTimeoutMs,
  });
  core.onRevocations(() => claims.changed());
  const { credentialTtlMs } = config.nodes;
  const leave = serveJoins({ authority, coordinator, clock, log, credentialTtlMs, transport });
  return {
    tokens: new JoinTokens({ authority, coordinator, world, clock, random, log }),
    problem: () => (claims.problem === undefined ? [] : [claims.problem]),
    close: async () => {
      leave();
      await claims.close();
      await system[Symbol.asyncDispose]();
    },
  };
}
