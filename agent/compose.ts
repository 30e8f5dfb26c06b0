/** Builds the agent out of its parts by plain constructor calls; nothing else in the program wires anything. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LimpetError } from '../core/errors.ts';
import { liveView } from '../core/live-view.ts';
import { parseExecutionId } from '../core/ids.ts';
import { clockOffset, systemClock } from '../adapters/clock/system-clock.ts';
import { envFaults } from '../adapters/faults/env-faults.ts';
import type { LeveledLog } from '../adapters/log/pino-log.ts';
import type { Transport } from '../adapters/nats/port.ts';
import { procProcesses } from '../adapters/processes/proc.ts';
import { measuredStore } from '../adapters/store/measured-store.ts';
import { createStreamServer } from '../adapters/streams/stream-server.ts';
import { serviceManager } from '../adapters/systemd/notify.ts';
import type { ReloadReport } from '../wire/reload.ts';
import { VERSION } from '../wire/version.ts';
import { Announcement } from './announce.ts';
import { listenLocal, localApi } from './api/local-api.ts';
import { pluginDesk } from './api/plugin-desk.ts';
import type { AgentStatus } from './api/status.ts';
import { SocketDoor } from './api/socket-door.ts';
import { agentStatus, degradedOf, type StatusParts } from './api/status-of.ts';
import type { AgentConfig } from './config.ts';
import { Drain } from './drain.ts';
import { Explainer } from './explain/explainer.ts';
import { agentMetrics } from './explain/metrics.ts';
import { serveExplanations } from './explain/requests.ts';
import { scrape } from './explain/status-metrics.ts';
import { Sweep } from './executions/sweep.ts';
import { connectAsNode } from './join/connect.ts';
import { AgentStreams } from './link/streams.ts';
import { KnownEpochs } from './link/epochs.ts';
import { Housekeeper } from './housekeeping/housekeeper.ts';
import { assembleNode } from './node.ts';
import { ownPlugins } from './own-plugins.ts';
import { ToldSchemas } from './plugins/schemas.ts';
import { agentReload } from './reload.ts';
import { openState } from './state.ts';
import { Stopping, type StopMode } from './stopping.ts';
import { StoreWatch } from './store-watch.ts';
import { OwnUnit } from './unit/own-unit.ts';
import { unitProblems } from './unit/unit-check.ts';

export interface Agent {
  status(): AgentStatus;
  /** Reads the config again. Never throws. */
  reload(): Promise<ReloadReport>;
  /** Resolves when it has ended; as its config says when no mode is given. See `stopping.ts`. */
  stop(mode?: StopMode): Promise<void>;
}

export interface ConfigSource {
  readonly config: AgentConfig;
  /** Anew, as at the start. Errors: `invalid-config`. */
  read(this: void): Promise<AgentConfig>;
}

const SWEEP_EVERY_MS = 60_000;
const KILL_TIMEOUT_SLACK_MS = 20_000;
const REPORT_MS = 5_000;

export async function composeAgent(
  { config, read }: ConfigSource,
  log: LeveledLog,
  onStopOrder: (mode: StopMode) => void,
): Promise<Agent> {
  const startedAt = Math.floor(performance.timeOrigin);
  const clock = systemClock(clockOffset(process.env));
  const faults = envFaults(process.env);
  const processes = procProcesses();
  const metrics = agentMetrics();
  const { identity, folders, runDir, damage, amiss, ...opened } = await openState(config, clock);
  const store = measuredStore(opened.store, (seconds) => {
    metrics.observe('limpet_store_write_seconds', seconds);
  });
  if (amiss !== undefined) log.error('store.amiss', { reason: amiss });
  const reload = agentReload({ config, read, log, now: () => clock.now() }, [
    () => renewFiles(config, broker.transport),
    () => plugins.reconsider(),
    () => {
      link.reintroduce();
    },
  ]);
  const settings = (): AgentConfig => reload.config;
  const room = new StoreWatch({
    ...{ store, folder: config.dataDir, clock, log },
    limits: liveView(settings),
    makeRoom: () => housekeeper.look(),
  });
  if (room.noRoom !== undefined) log.error('store.not-written', { reason: room.noRoom });
  const schemas = new ToldSchemas();
  const plugins = ownPlugins(
    settings,
    { identity, store, folders, runDir },
    { clock, processes, faults, log, schemas },
  );

  const host = room.over(plugins);
  const broker = await connectAsNode({ config, identity, clock, log, environment: process.env });
  const { transport } = broker;
  const node = await assembleNode({
    epochs: await KnownEpochs.load(config.dataDir, log),
    ...{ config, settings, metrics },
    name: config.name ?? hostname(),
    identity,
    store,
    folders,
    host,
    transport,
    clock,
    faults,
    log,
    bootId: processes.bootId(),
    startedAt,
    environment: process.env,
    mint: randomUUID,
  });
  const { service, link, repository, outbox, sources, loaded } = node;
  const { engine } = service;
  const streamServer = createStreamServer({
    transport,
    nodeId: identity.nodeId,
    clock,
    log,
  });
  const streams = new AgentStreams({
    transport,
    nodeId: identity.nodeId,
    server: streamServer,
    folders,
    clock,
    log,
    record: async (id) => engine.get(id)?.record ?? (await repository.get(id)),
    client: (name) => host.client(name),
  });

  const drain = await Drain.load({
    ...{ store, clock, log },
    refuse: (reason) => {
      service.refuse(reason);
    },
  });
  const unit = new OwnUnit({
    service: serviceManager(process.env, log),
    clock,
    log,
    executions: () => engine.all(),
    health: () => host.health(),
    isRecovered: (executor) => service.isRecovered(executor),
    degraded: () => degradedOf(statusParts()),
    problems: unitProblems({ processExecutor: config.executors.process.enabled, log }),
  });
  const door = new SocketDoor({ group: config.socketGroup, dataDir: config.dataDir });
  const statusParts = (): StatusParts => ({
    config,
    identity,
    startedAt,
    version: VERSION,
    sources,
    service,
    link: link.status,
    quarantined: loaded.quarantined,
    store: { damage, amiss, noRoom: () => room.noRoom },
    unit: unit.problems,
    broker: broker.problems(),
    socket: door.problem,
    drainedSince: drain.since,
    reloaded: reload.last,
    housekeeping: housekeeper.state,
    plugins: plugins.set(),
    streams: streamServer.open,
  });
  const status = (): AgentStatus => agentStatus(statusParts());
  const explainer = new Explainer({
    nodeId: identity.nodeId,
    clock,
    leases: node.leases,
    health: () => host.health(),
    client: (name) => host.client(name),
    live: () => [...engine.all()].map(({ record }) => record),
    record: async (id) => engine.get(id)?.record ?? (await repository.get(id)),
    ids: () => repository.ids(),
    events: (id) => repository.events(id),
  });
  const explanations = serveExplanations(transport, identity.nodeId, explainer);
  const housekeeper = new Housekeeper({
    ...{ repository, folders, clock, log, rules: settings },
    acknowledged: () => outbox.idle,
  });
  const leftovers = new Sweep({
    ...{ engine, folders, clock, log, words: service.words },
    graceMs: () => settings().sweepGraceMs,
    acknowledged: () => outbox.idle,
    stored: async (id) => repository.get(parseExecutionId(id)),
    client: (name) => (service.isRecovered(name) ? host.client(name) : undefined),
    swept: (kind) => {
      metrics.count('limpet_swept_total', { kind });
    },
  });
  const reloading = async (): Promise<ReloadReport> => {
    const reports: ReloadReport[] = [];
    await unit.reload(async () => void reports.push(await reload.run()));
    return reports[0] ?? reload.run();
  };
  const socket = join(runDir, 'agent.sock');
  const closeApi = await listenLocal(
    localApi({
      status,
      explainer,
      metrics: () => scrape({ metrics, status, store, outbox, dataDir: config.dataDir }),
      drain,
      reload: reloading,
      history: (id) => repository.events(id),
      plugins: pluginDesk({ plugins, host, store, log, schemas, folder: folders.plugins }),
      foreign: service.foreign,
      sweep: (order) => leftovers.run(order),
      acceptEngine: (name) => service.acceptEngine(name),
      stop: (mode = settings().onStop) => {
        onStopOrder(mode);
        return mode;
      },
    }),
    socket,
    door,
  );
  if (door.problem !== undefined) log.warn('agent.socket-closed', { reason: door.problem });
  const announcement = new Announcement(config.dataDir, { socket, nodeId: identity.nodeId }, log);
  await announcement.write();

  const sweeping = setInterval(() => {
    leftovers.run({ dryRun: false }).catch((thrown: unknown) => {
      log.warn('sweep.failed', { reason: LimpetError.from(thrown).message });
    });
  }, SWEEP_EVERY_MS);
  housekeeper.start();
  streams.start();
  link.start();
  service.start();
  void unit.start();
  void room.start(() => {
    for (const health of host.health()) service.health(health);
    announcement.write().catch((thrown: unknown) => {
      log.warn('agent.not-announced', { reason: LimpetError.from(thrown).message });
    });
  });
  log.info('agent.started', {
    node: identity.nodeId,
    executions: loaded.records.length,
    dataDir: config.dataDir,
  });

  const end = async (mode: StopMode): Promise<void> => {
    housekeeper.close();
    clearInterval(sweeping);
    room.close();
    if (mode === 'kill')
      await service.killAll(
        'the agent was told to end everything',
        settings().stopGraceMs + KILL_TIMEOUT_SLACK_MS,
      );
    unit.stopping();
    streams.close();
    explanations.unsubscribe();
    await streamServer[Symbol.asyncDispose]();
    link.close();
    node.progress.close();
    service.close();
    await (mode === 'detach' ? host.detach() : host.shutdown());
    await closeApi();
    broker.close();
    await transport[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await announcement.withdraw();
    unit.close();
    log.info('agent.stopped', { mode });
  };
  const finish = async (signal: AbortSignal): Promise<void> => {
    log.info('agent.draining', {});
    unit.draining();
    await service.drain(signal);
    // Whoever waits for the work hears of its end; if not now, then at the next start.
    const until = clock.uptime() + REPORT_MS;
    while (!outbox.idle && !signal.aborted && clock.uptime() < until) await clock.sleep(50);
  };
  const stopping = new Stopping({ drain: finish, end });
  return {
    status,
    reload: reloading,
    stop: (mode = settings().onStop) => stopping.stop(mode),
  };
}

/** Files of keys and certificates may hold something new: a second connection takes over from the first. */
async function renewFiles({ nats }: AgentConfig, transport: Transport): Promise<void> {
  const { credsFile, tls } = nats;
  if (transport.connected && (credsFile !== undefined || tls !== undefined))
    await transport.renew();
}
