/** Builds the requester out of its parts; nothing else knows them all. */
import { join } from 'node:path';
import type { Clock, Random } from '../adapters/clock/port.ts';
import type { Faults } from '../adapters/faults/port.ts';
import type { Logger } from '../adapters/log/port.ts';
import { connectTransport } from '../adapters/nats/nats-transport.ts';
import type { Transport } from '../adapters/nats/port.ts';
import { openStore } from '../adapters/store/level-store.ts';
import type { Store } from '../adapters/store/port.ts';
import { serveApi, type Api } from './api/server.ts';
import { readToken } from './api/token.ts';
import type { Config } from './config.ts';
import { Watchers } from './jobs/watchers.ts';
import { LogReader } from './logs/log-reader.ts';
import { serveAgents } from './nodes/gateway.ts';
import { Links } from './nodes/links.ts';
import { Presence } from './nodes/presence.ts';
import { SilenceWatch } from './nodes/silence.ts';
import { NodeStreams } from './nodes/streams.ts';
import { Scheduler } from './scheduling/scheduler.ts';
import { Coordinator } from './state/coordinator.ts';
import { loadIdentity } from './state/identity.ts';
import { SCHEMA_VERSION } from './state/keys.ts';
import { loadWorld } from './state/load.ts';
import { Mint } from './state/minting.ts';
import { Reader } from './state/reader.ts';
import type { World } from './state/world.ts';

export interface Setting {
  readonly config: Config;
  /** Exists already. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly log: Logger;
}

export interface Requester {
  readonly url: string;
  /** Stops taking requests, finishes what was begun, closes. Twice is the same as once. */
  [Symbol.asyncDispose](): Promise<void>;
}

export async function compose(setting: Setting): Promise<Requester> {
  const { config, folder, log, clock } = setting;
  const token = await readToken(folder);
  const store = await openStore(
    { folder: join(folder, 'store'), createIfMissing: true, schemaVersion: SCHEMA_VERSION },
    clock,
  );
  const undo: (() => Promise<void> | void)[] = [() => store[Symbol.asyncDispose]()];
  try {
    const transport = await connect(config, log);
    undo.unshift(() => transport[Symbol.asyncDispose]());
    const api = await assemble({ ...setting, store, transport, token, undo });
    undo.unshift(() => api[Symbol.asyncDispose]());
    log.info('requester.ready', { url: api.url });
    return { url: api.url, [Symbol.asyncDispose]: once(() => unwind(undo)) };
  } catch (thrown) {
    await unwind(undo);
    throw thrown;
  }
}

function connect(config: Config, log: Logger): Promise<Transport> {
  const { servers, user, password } = config.nats;
  return connectTransport(
    {
      servers,
      name: 'limpet-requester',
      inboxPrefix: '_INBOX.requester',
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
    },
    log,
  );
}

interface Assembly extends Setting {
  readonly store: Store;
  readonly transport: Transport;
  readonly token: string;
  /** What has to be undone at the end, the last first. */
  readonly undo: (() => Promise<void> | void)[];
}

async function assemble(given: Assembly): Promise<Api> {
  const { config, clock, log, store, transport, faults, undo } = given;
  const mint = new Mint(clock, given.random);
  const identity = await loadIdentity(store, mint, clock.now());
  const world = await loadWorld(store, log);
  const core = wire({ ...given, mint, world, requesterId: identity.requesterId });
  const { coordinator, links, presence, scheduler } = core;
  for (const node of world.nodes()) {
    const link = await links.open(node.id);
    if (node.session !== '' && node.membership.state === 'approved') link.sender.open(node.session);
  }
  const reader = new Reader(store, world, log);
  const { heartbeatIntervalMs } = config.nodes;
  const leave = serveAgents({
    ...{ coordinator, world, links, presence, reader, mint, clock, log, transport, faults },
    ...identity,
    rules: config.nodes,
    heartbeatIntervalMs,
  });
  const silence = new SilenceWatch({
    coordinator,
    world,
    presence,
    clock,
    log,
    thresholds: config.nodes,
  });
  undo.unshift(
    leave,
    () => silence.close(),
    () => scheduler.close(),
    () => coordinator.close(),
    () => links.close(),
  );
  await coordinator.run(() => undefined);
  const streams = new NodeStreams({
    transport,
    clock,
    requestTimeoutMs: config.nats.requestTimeoutMs,
    requesterId: identity.requesterId,
  });
  undo.unshift(() => streams[Symbol.asyncDispose]());
  const logs = new LogReader({ streams, reader, watchers: core.watchers, clock });
  return serveApi({
    ...{
      config,
      folder: given.folder,
      token: given.token,
      log,
      clock,
      world,
      reader,
      mint,
      coordinator,
      presence,
      transport,
    },
    ...{ logs, streams, watchers: core.watchers, requesterId: identity.requesterId },
  });
}

interface Core {
  readonly coordinator: Coordinator;
  readonly links: Links;
  readonly presence: Presence;
  readonly scheduler: Scheduler;
  readonly watchers: Watchers;
}

function wire(
  given: Assembly & { readonly mint: Mint; readonly world: World; readonly requesterId: string },
): Core {
  const { config, store, transport, clock, log, faults, mint, world, requesterId } = given;
  const { declineBackoffMs: firstMs, declineBackoffMaxMs: lastMs } = config.scheduling;
  const { requestTimeoutMs } = config.nats;
  const links = new Links({
    store,
    transport,
    clock,
    log,
    mint,
    requestTimeoutMs,
    batchRows: 200,
    batchBytes: 512 * 1024,
  });
  const presence = new Presence(clock.now());
  const watchers = new Watchers();
  const scheduler = new Scheduler({
    owner: { requesterId, mint },
    clock,
    log,
    declineBackoff: { firstMs, lastMs: Math.max(firstMs, lastMs) },
    foreign: (node) => presence.foreign(node),
    wake: () => coordinator.run(() => undefined),
  });
  const coordinator: Coordinator = new Coordinator({
    ...{ store, world, clock, faults },
    append: (node, rows) => links.append(node, rows),
    settle: (draft) => scheduler.settle(draft),
    onCommitted: (changes) => {
      for (const node of changes.rowsFor) links.get(node)?.sender.wake();
      watchers.notify(changes);
    },
  });
  return { coordinator, links, presence, scheduler, watchers };
}

async function unwind(undo: readonly (() => Promise<void> | void)[]): Promise<void> {
  for (const step of undo) await step();
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
