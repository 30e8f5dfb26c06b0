/**
 * What an agent is, without a process around it: executions and the link, joined over ports. `compose.ts` gives it the
 * real ones; simulations give it a world of their own.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { derived, liveView } from '../core/live-view.ts';
import { parseExecutionId } from '../core/ids.ts';
import type { ExecutionRecord } from '../core/execution/record.ts';
import type { Clock } from '../adapters/clock/port.ts';
import type { Faults } from '../adapters/faults/port.ts';
import type { Identity } from '../adapters/identity/identity-file.ts';
import { Inbox } from '../adapters/link/inbox.ts';
import { Outbox } from '../adapters/link/outbox.ts';
import type { Logger } from '../adapters/log/port.ts';
import type { Transport } from '../adapters/nats/port.ts';
import type { Store } from '../adapters/store/port.ts';
import { VERSION } from '../wire/version.ts';
import { capacityOf, type AgentConfig } from './config.ts';
import type { EnvironmentOptions } from './executions/environment.ts';
import type { PlacedHow } from './executions/engine.ts';
import type { AgentFolders } from './executions/folders.ts';
import type { InputOptions } from './executions/inputs.ts';
import { Leases } from './executions/lease.ts';
import { ExecutionRepository, type Loaded } from './executions/repository.ts';
import { ExecutionService } from './executions/service.ts';
import { downloadPorts, offeredSources } from './inputs/config.ts';
import { reportRules } from './link/coalesce.ts';
import { KnownEpochs } from './link/epochs.ts';
import type { NodeInfoSources } from './link/node-info.ts';
import { agentMetrics, type AgentMetrics } from './explain/metrics.ts';
import { Orders } from './link/orders.ts';
import { ProgressTeller } from './link/progress-teller.ts';
import { reportRow } from './link/report.ts';
import { RequesterLink } from './link/requester-link.ts';
import type { PluginHost } from './plugins/port.ts';

export interface NodeParts {
  readonly config: AgentConfig;
  /** The config as it is now; it never changes when missing. */
  readonly settings?: () => AgentConfig;
  /** For people. */
  readonly name: string;
  readonly identity: Identity;
  readonly store: Store;
  readonly folders: AgentFolders;
  readonly host: PluginHost;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly log: Logger;
  readonly bootId: string;
  /** Of this process, ms since the epoch. */
  readonly startedAt: number;
  readonly environment: EnvironmentOptions['node'];
  /** A new incarnation of the outbox. */
  readonly mint: () => string;
  readonly metrics?: AgentMetrics;
  /** Kept in memory alone when missing. */
  readonly epochs?: KnownEpochs;
}

export interface AgentNode {
  readonly leases: Leases;
  readonly repository: ExecutionRepository;
  readonly outbox: Outbox;
  readonly service: ExecutionService;
  readonly sources: NodeInfoSources;
  readonly link: RequesterLink;
  readonly progress: ProgressTeller;
  readonly loaded: Loaded;
}

/** Loaded and wired; nothing of it has begun: start the link, then the service. */
export async function assembleNode(parts: NodeParts): Promise<AgentNode> {
  const { store, log, mint } = parts;
  const repository = new ExecutionRepository(store);
  const outbox = await Outbox.load(store, 'out/', mint, reportRules(parts.config.outboxBytes));
  const inbox = await Inbox.load(store, 'in/');
  // The link and the service know each other: reports wake the link, orders reach the engine.
  const late: { link?: RequesterLink } = {};
  const epochs = parts.epochs ?? new KnownEpochs();
  const { clock, bootId, transport } = parts;
  const { nodeId } = parts.identity;
  const progress = new ProgressTeller({
    ...{ transport, clock, nodeId },
    session: () => late.link?.session ?? '',
    lasts: () => late.link?.wake('soon'),
  });
  const leases = await Leases.load({ store, clock, bootId, log });
  const service = createService(parts, {
    leases,
    repository,
    outbox,
    epochs,
    progress,
    link: () => late.link,
  });
  const { engine } = service;
  const loaded = await repository.loadUnfinished();
  for (const corrupt of loaded.quarantined)
    log.error('store.quarantined', { key: corrupt.key, reason: corrupt.reason });
  engine.adoptStored(loaded.records);
  const sources = sourcesOf(parts, service);
  late.link = createLink(parts, { leases, service, sources, repository, inbox, outbox, epochs });
  return { repository, outbox, leases, service, sources, link: late.link, progress, loaded };
}

function createService(
  { config, settings = () => config, ...parts }: NodeParts,
  own: {
    readonly leases: Leases;
    readonly epochs: KnownEpochs;
    readonly repository: ExecutionRepository;
    readonly outbox: Outbox;
    readonly progress: ProgressTeller;
    link(): RequesterLink | undefined;
  },
): ExecutionService {
  const { identity, host, folders, clock, faults, log, environment } = parts;
  return new ExecutionService({
    hasTraces: (id) => existsSync(join(folders.logs, id)),
    repository: own.repository,
    host,
    reports: {
      // That nothing is left of an ended execution is news to this node only.
      rows: (record, events) =>
        (record.removed && events.every(({ from, to }) => from === to)) || isUnreported(record)
          ? []
          : own.outbox.append([reportRow(record, events)]),
      unwritten: (ops) => own.outbox.unwritten(ops),
      wake: (how) => own.link()?.wake(how),
    },
    folders,
    inputs: liveView(derived(settings, (now) => inputOptions(now, folders, clock))),
    results: liveView(() => settings().results),
    environment: liveView(() => ({ allow: settings().allowEnv, node: environment })),
    capacity: liveView(derived(settings, capacityOf)),
    limits: liveView(settings),
    ...{ clock, faults, log },
    metrics: parts.metrics ?? agentMetrics(),
    ...{ nodeId: identity.nodeId, leases: own.leases, progress: own.progress },
    owner: () => {
      const { current } = own.epochs;
      return current && { requesterId: current.requesterId, knownSince: current.since };
    },
    changed: () => own.link()?.announce(),
  });
}

function inputOptions(config: AgentConfig, folders: AgentFolders, clock: Clock): InputOptions {
  const { allowLocal, urlDownload, minFreeBytes, inlineArchive: archive } = config;
  const downloads = downloadPorts(urlDownload, { minFreeBytes, clock });
  const options = { folder: folders.inputs, allowLocal, archive };
  return downloads === undefined ? options : { ...options, downloads };
}

function sourcesOf(
  { config, settings = () => config, name, identity, host }: NodeParts,
  service: ExecutionService,
): NodeInfoSources {
  const facts = derived(settings, (now) => ({
    nodeId: identity.nodeId,
    name,
    version: VERSION,
    labels: now.labels,
    capacity: capacityOf(now),
    sources: offeredSources(now.urlDownload),
  }));
  return {
    facts: liveView(facts),
    engine: service.engine,
    health: () => service.advertised(),
    recovered: (executor) => service.isRecovered(executor),
    schema: (executor) => service.schemas.named(executor, host.client(executor)),
    questions: () => service.words.questions,
    drained: () => service.intake.drained,
  };
}

interface Linked {
  readonly leases: Leases;
  readonly service: ExecutionService;
  readonly sources: NodeInfoSources;
  readonly repository: ExecutionRepository;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly epochs: KnownEpochs;
}

function createLink(
  { config, host, identity, transport, clock, faults, log, bootId, startedAt, mint }: NodeParts,
  { leases, service, sources, repository, inbox, outbox, epochs }: Linked,
): RequesterLink {
  const { engine } = service;
  const { nodeId, instanceId } = identity;
  const orders = new Orders({
    ...{ nodeId, engine, faults, clock, log },
    full: () => outbox.full,
    ...placedHow(host, service),
    begin: (live, effects) => {
      service.intake.begin(live, effects);
    },
    reports: {
      rows: (report) => outbox.append([{ type: 'report', report }]),
      unwritten: (ops) => outbox.unwritten(ops),
      wake: () => link.wake('now'),
    },
    foreign: service.foreign,
  });
  const link = new RequesterLink({
    ...{ transport, sources, inbox, outbox, orders, clock, faults, log },
    ...{ instanceId, bootId, startedAt, mint },
    requestTimeoutMs: config.nats.requestTimeoutMs,
    snapshot: () => repository.snapshot(reportRow),
    ownerWord: (known) => service.ownerWord(known),
    ended: (ids) => {
      service.words.ended(ids, clock.now());
    },
    accepted: (requesterId, epoch) => epochs.accepted(requesterId, epoch, clock.now()),
    moment: () => leases.moment(),
    acknowledged: (sent) => {
      void leases.acknowledged(sent);
    },
    stop: (id) => {
      void orders.stop(parseExecutionId(id), 'its owner does not want it here');
    },
  });
  return link;
}

function placedHow(host: PluginHost, { intake, prepared }: ExecutionService): PlacedHow {
  return {
    admits: (record, allocated) => intake.admitsAtOnce(record, allocated),
    known: (record) => prepared.known(record, host.client(record.placement.task.Engine.Type)),
  };
}

/** What is foreign is told in the link's own list, until its owner has claimed it or an operator has decided. */
function isUnreported({ foreign }: ExecutionRecord): boolean {
  return foreign !== undefined && foreign.answer?.by !== 'operator';
}
