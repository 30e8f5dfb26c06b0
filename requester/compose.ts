/** Builds the requester out of its parts; nothing else knows them all. */
import type { Clock, Random } from '../adapters/clock/port.ts';
import type { Faults } from '../adapters/faults/port.ts';
import type { Logger } from '../adapters/log/port.ts';
import { connectTransport } from '../adapters/nats/nats-transport.ts';
import type { Transport } from '../adapters/nats/port.ts';
import { measuredStore } from '../adapters/store/measured-store.ts';
import type { Store } from '../adapters/store/port.ts';
import type { ServiceManager } from '../adapters/systemd/port.ts';
import { silentService } from '../adapters/systemd/silent.ts';
import type { AuthorityAtWork } from './authority/start.ts';
import { ApiTokens } from './api/api-tokens.ts';
import { serveApi, type Api } from './api/server.ts';
import { readToken } from './api/token.ts';
import type { Config } from './config.ts';
import { startCore, type RequesterCore } from './core.ts';
import { LogReader } from './logs/log-reader.ts';
import { nodeOrigin } from './logs/node-origin.ts';
import { requesterMetrics, type RequesterMetrics } from './metrics/list.ts';
import { countPlacements, scrape } from './metrics/scrape.ts';
import { NodeStreams } from './nodes/streams.ts';
import { openState } from './state/open.ts';
import { transportOptions } from './transport.ts';
import { OwnUnit } from './unit/own-unit.ts';

export interface Setting {
  readonly config: Config;
  /** Exists already. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly log: Logger;
  /** Who started this requester and waits for its word; nobody when missing. */
  readonly service?: ServiceManager;
  /** Of the program around it, one sentence. */
  readonly problem?: (() => string | undefined) | undefined;
}

export interface Requester {
  readonly url: string;
  readonly routes: Api['routes'];
  /** Takes what the files of http.tls hold now. Errors: `invalid-config`; the certificate of before stays. */
  renewCertificate(): Promise<void>;
  readonly unit: Pick<OwnUnit, 'reload'>;
  /** Stops taking requests, finishes what was begun, closes. Twice is the same as once. */
  [Symbol.asyncDispose](): Promise<void>;
}

export async function compose(setting: Setting): Promise<Requester> {
  const { config, folder, log } = setting;
  const token = await readToken(folder);
  const metrics = requesterMetrics();
  const opened = await openState(setting);
  const { problems } = opened;
  const store = measuredStore(opened.store, (seconds) =>
    metrics.observe('limpet_store_write_seconds', seconds),
  );
  const undo: (() => Promise<void> | void)[] = [() => store[Symbol.asyncDispose]()];
  try {
    const transport = await connectTransport(transportOptions(config), log);
    undo.unshift(() => transport[Symbol.asyncDispose]());
    const { api, unit } = await assemble({
      ...{ ...setting, store, problems, transport, token, undo, metrics },
    });
    undo.unshift(() => api[Symbol.asyncDispose]());
    undo.unshift(() => unit.stopping());
    undo.push(() => unit.close());
    log.info('requester.ready', { url: api.url });
    const { url, routes } = api;
    return {
      ...{ url, routes, unit, renewCertificate: () => api.renewCertificate() },
      [Symbol.asyncDispose]: once(() => unwind(undo)),
    };
  } catch (thrown) {
    await unwind(undo);
    throw thrown;
  }
}

interface Assembly extends Setting {
  readonly store: Store;
  readonly problems: readonly string[];
  readonly transport: Transport;
  readonly token: string;
  readonly metrics: RequesterMetrics;
  /** What has to be undone at the end, the last first. */
  readonly undo: (() => Promise<void> | void)[];
}

interface Assembled {
  readonly api: Api;
  readonly unit: OwnUnit;
}

async function assemble(given: Assembly): Promise<Assembled> {
  const { config, clock, random, log, folder, token, transport, undo, store } = given;
  const core = await startCore({
    ...given,
    committed: (changes) => countPlacements(given.metrics, changes),
  });
  undo.unshift(() => core.close());
  const { world, reader, mint, coordinator, presence, watchers, rollCall, requesterId } = core;
  const { schemas, preparing } = core;
  const { requestTimeoutMs } = config.nats;
  const streams = new NodeStreams({ transport, clock, random, log, requestTimeoutMs, requesterId });
  undo.unshift(() => streams[Symbol.asyncDispose]());
  const tokens = await ApiTokens.load({ store, clock, log });
  undo.unshift(() => tokens.close());
  const origin = nodeOrigin({ streams, reader, world, clock });
  const logs = new LogReader({ origin, reader, watchers });
  const authority = await authorityOf(given, core);
  const problems = (): string[] => [
    ...[given.problem?.()].filter((line) => line !== undefined),
    ...(authority?.problem() ?? []),
    ...(store.failing === undefined ? [] : [`the store cannot be written: ${store.failing}`]),
    ...given.problems,
    ...(rollCall.problem === undefined ? [] : [rollCall.problem]),
  ];
  const api = await serveApi({
    ...{ config, folder, token, tokens, log, clock, world, reader, mint, coordinator, presence },
    ...{
      transport,
      logs,
      streams,
      watchers,
      preparing,
      requesterId,
      schemas,
      metrics: given.metrics,
    },
    scrape: () =>
      scrape({
        ...{ metrics: given.metrics, world, folder, now: clock.now(), problems: problems() },
        ...{ connected: transport.connected, storeFailing: store.failing !== undefined },
        streams: streams.open,
      }),
    decide: (node, decision) => core.decide(node, decision),
    joinTokens: authority?.tokens,
    problems,
  });
  const { service = silentService } = given;
  return { api, unit: new OwnUnit({ service, coordinator, clock, log, problems }) };
}

/** Loads what only an authority takes. */
async function authorityOf(
  given: Assembly,
  core: RequesterCore,
): Promise<AuthorityAtWork | undefined> {
  const { authority: folder } = given.config;
  if (folder === undefined) return undefined;
  const { startAuthority } = await import('./authority/start.ts');
  const authority = await startAuthority({ ...given, folder, core });
  given.undo.unshift(() => authority.close());
  return authority;
}

async function unwind(undo: readonly (() => Promise<void> | void)[]): Promise<void> {
  for (const step of undo) await step();
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
