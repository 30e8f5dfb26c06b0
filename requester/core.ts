/**
 * What a requester is, without a process around it: state, scheduler and the links to its nodes, joined over ports.
 * `compose.ts` gives it the real ones and puts the API on top; simulations give it a world of their own.
 */
import type { Clock, Random } from '../adapters/clock/port.ts';
import type { Faults } from '../adapters/faults/port.ts';
import type { Logger } from '../adapters/log/port.ts';
import type { Transport } from '../adapters/nats/port.ts';
import type { Store } from '../adapters/store/port.ts';
import type { NodeId } from '../core/ids.ts';
import { liveView } from '../core/live-view.ts';
import type { Config } from './config.ts';
import { Watchers } from './jobs/watchers.ts';
import { expelRejected } from './nodes/expulsion.ts';
import { serveAgents } from './nodes/gateway.ts';
import { Links } from './nodes/links.ts';
import { Preparing } from './nodes/preparing.ts';
import { decide, type Decision } from './nodes/membership.ts';
import { SchemaShelf } from './nodes/schema-shelf.ts';
import { Presence } from './nodes/presence.ts';
import { RollCall } from './nodes/roll-call.ts';
import { watchSilence } from './nodes/silence.ts';
import { Scheduler } from './scheduling/scheduler.ts';
import { Coordinator } from './state/coordinator.ts';
import type { Changes } from './state/draft.ts';
import { loadIdentity, type RequesterIdentity } from './state/identity.ts';
import { loadWorld } from './state/load.ts';
import { Mint } from './state/minting.ts';
import { Reader } from './state/reader.ts';
import type { World } from './state/world.ts';

export interface CoreParts {
  readonly config: Config;
  readonly store: Store;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly log: Logger;
  /** Of each turn that is durable. */
  readonly committed?: (changes: Changes) => void;
}

export interface RequesterCore {
  readonly requesterId: string;
  readonly mint: Mint;
  readonly world: World;
  readonly reader: Reader;
  readonly coordinator: Coordinator;
  readonly links: Links;
  readonly presence: Presence;
  readonly schemas: SchemaShelf;
  readonly watchers: Watchers;
  readonly preparing: Preparing;
  readonly rollCall: RollCall;
  /** An operator's word on a node. Errors: `not-found`, `conflict`. */
  decide(node: NodeId, decision: Decision): Promise<void>;
  /** Calls back when other keys are void than before. */
  onRevocations(listener: () => void): void;
  /** Stops taking messages, finishes what was begun. */
  close(): Promise<void>;
}

/** Loads the world, serves the agents, and runs a first turn. */
export async function startCore(parts: CoreParts): Promise<RequesterCore> {
  const { config, clock, log, store, transport, faults } = parts;
  const loaded = await load(parts);
  const { mint, world, links, rollCall, identity, schemas } = loaded;
  const wired = wire(parts, loaded);
  const { coordinator, presence, watchers, preparing } = wired;
  const reader = new Reader(store, world, log);
  const leave = serveAgents({
    ...{ coordinator, world, links, presence, rollCall, reader, mint, clock, log, schemas },
    ...{ transport, faults, preparing, ...identity },
    rules: liveView(() => ({ ...config.nodes, authority: config.authority !== undefined })),
    pace: config.nodes,
  });
  const seen = { coordinator, world, clock, log };
  const silence = watchSilence({ ...seen, presence, thresholds: config.nodes });
  const expulsion = expelRejected({ ...seen, links });
  const close = async (): Promise<void> => {
    leave();
    for (const part of [expulsion, silence, wired.scheduler, preparing]) part.close();
    await coordinator.close();
    links.close();
  };
  try {
    await coordinator.run(() => undefined);
  } catch (thrown) {
    await close();
    throw thrown;
  }
  // Nobody has to wait for a heartbeat to learn what the nodes hold.
  for (const { id } of world.nodes()) links.wake(id);
  return {
    requesterId: identity.requesterId,
    ...{ mint, world, reader, coordinator, links, presence, rollCall, watchers, schemas },
    preparing,
    decide: (node, decision) =>
      decide({ coordinator, store, mint, nudge: (id) => links.nudge(id) }, node, decision),
    onRevocations: (listener) => void wired.revocations.push(listener),
    close,
  };
}

interface Loaded {
  readonly mint: Mint;
  readonly identity: RequesterIdentity;
  readonly world: World;
  readonly links: Links;
  readonly rollCall: RollCall;
  readonly schemas: SchemaShelf;
}

async function load(parts: CoreParts): Promise<Loaded> {
  const { config, store, transport, clock, log } = parts;
  const mint = new Mint(clock, parts.random);
  const identity = await loadIdentity(store, mint, clock.now());
  const world = await loadWorld(store, log);
  const links = new Links({
    ...{ store, transport, clock, log, mint },
    requestTimeoutMs: config.nats.requestTimeoutMs,
    batchRows: 200,
    batchBytes: 512 * 1024,
  });
  // Nothing is sent before a handshake: only there it shows when this store is an old copy.
  for (const node of world.nodes()) await links.open(node.id);
  const rollCall = await RollCall.load(store, {
    world,
    now: clock.now(),
    unhealthyAfterMs: config.nodes.unhealthyAfterMs,
    position: (node) => links.get(node)?.position(),
  });
  const schemas = await SchemaShelf.load(store, log);
  return { mint, identity, world, links, rollCall, schemas };
}

interface Wired {
  readonly coordinator: Coordinator;
  readonly presence: Presence;
  readonly scheduler: Scheduler;
  readonly watchers: Watchers;
  readonly preparing: Preparing;
  readonly revocations: (() => void)[];
}

function wire(
  { config, store, clock, log, faults, committed }: CoreParts,
  { mint, world, links, rollCall, schemas, identity: { requesterId } }: Loaded,
): Wired {
  const { declineBackoffMs: firstMs, declineBackoffMaxMs: lastMs } = config.scheduling;
  const presence = new Presence(clock.now());
  const watchers = new Watchers();
  const preparing = new Preparing({ world, watchers, clock });
  const revocations: (() => void)[] = [];
  const scheduler = new Scheduler({
    owner: { requesterId, mint },
    clock,
    log,
    declineBackoff: { firstMs, lastMs: Math.max(firstMs, lastMs) },
    foreign: (node) => presence.foreign(node),
    refusal: (executor, engine) => schemas.judge(executor, engine).fault,
    inheritance: (draft) => rollCall.inheritance(draft),
    wake: () => coordinator.run(() => undefined),
  });
  const coordinator: Coordinator = new Coordinator({
    ...{ store, world, clock, faults },
    append: (node, rows) => links.append(node, rows),
    unwritten: (ops) => links.unwritten(ops),
    settle: (draft) => scheduler.settle(draft),
    onCommitted: (changes) => {
      for (const node of changes.droppedNodes) links.drop(node);
      for (const node of changes.rowsFor) links.wake(node);
      if (changes.roster.revocationsChanged) for (const listener of revocations) listener();
      preparing.changed(changes.executions);
      watchers.notify(changes);
      committed?.(changes);
    },
  });
  return { coordinator, presence, scheduler, watchers, preparing, revocations };
}
