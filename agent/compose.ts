/** Builds the agent out of its parts by plain constructor calls; nothing else in the program wires anything. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LimpetError } from '../core/errors.ts';
import { parseExecutionId } from '../core/ids.ts';
import { systemClock } from '../adapters/clock/system-clock.ts';
import { systemRandom } from '../adapters/clock/system-random.ts';
import { envFaults } from '../adapters/faults/env-faults.ts';
import { writeFileAtomic } from '../adapters/identity/write-file-atomic.ts';
import { Inbox } from '../adapters/link/inbox.ts';
import { Outbox } from '../adapters/link/outbox.ts';
import type { Logger } from '../adapters/log/port.ts';
import { connectTransport } from '../adapters/nats/nats-transport.ts';
import { procProcesses } from '../adapters/processes/proc.ts';
import { createStreamServer } from '../adapters/streams/stream-server.ts';
import { VERSION } from '../wire/version.ts';
import { inboxPrefix } from '../wire/subjects.ts';
import { listenLocal, localApi } from './api/local-api.ts';
import type { AgentStatus } from './api/status.ts';
import { agentStatus } from './api/status-of.ts';
import { capacityOf, type AgentConfig } from './config.ts';
import { ExecutionRepository } from './executions/repository.ts';
import { sweepFinished } from './executions/retention.ts';
import { ExecutionService } from './executions/service.ts';
import type { NodeInfoSources } from './link/node-info.ts';
import { Orders } from './link/orders.ts';
import { reportRow } from './link/report.ts';
import { RequesterLink } from './link/requester-link.ts';
import { AgentStreams } from './link/streams.ts';
import { createPluginHost } from './plugins/host.ts';
import { pluginSpecs } from './programs.ts';
import { openState } from './state.ts';

export interface Agent {
  status(): AgentStatus;
  /** `detach` leaves runs and plugins alone; `kill` ends runs, then plugins. Twice is the same as once. */
  stop(mode: 'detach' | 'kill'): Promise<void>;
}

const RETENTION_EVERY_MS = 3_600_000;
const KILL_TIMEOUT_SLACK_MS = 20_000;

export async function composeAgent(
  config: AgentConfig,
  log: Logger,
  onStopOrder: (mode: 'detach' | 'kill') => void,
): Promise<Agent> {
  const startedAt = Math.floor(performance.timeOrigin);
  const clock = systemClock();
  const faults = envFaults(process.env);
  const processes = procProcesses();
  const { identity, store, folders, runDir } = await openState(config, clock);
  const repository = new ExecutionRepository(store);
  const outbox = await Outbox.load(store, 'out/', randomUUID);
  const inbox = await Inbox.load(store, 'in/');
  const host = createPluginHost({
    specs: pluginSpecs(config),
    store,
    clock,
    processes,
    log,
    faults,
    random: systemRandom,
    runDir,
    configureFacts: {
      nodeId: identity.nodeId,
      instanceId: identity.instanceId,
      runsDir: folders.runs,
      logsDir: folders.logs,
      stateDir: folders.plugins,
      socketsDir: join(runDir, 's'),
    },
  });

  // The link and the service know each other: reports wake the link, orders reach the engine.
  const late: { link?: RequesterLink } = {};
  const service = new ExecutionService({
    repository,
    host,
    reports: {
      // That nothing is left of an ended execution is news to this node only.
      rows: (record, event) =>
        record.removed && event.from === event.to
          ? []
          : outbox.append([reportRow(record, [event])]),
      wake: (how) => late.link?.wake(how),
    },
    folders,
    inputs: { folder: folders.inputs, allowLocal: config.allowLocal },
    environment: { allow: config.allowEnv, node: process.env },
    capacity: capacityOf(config),
    stopGraceMs: config.stopGraceMs,
    pidsLimit: config.pidsLimit,
    clock,
    faults,
    log,
    changed: () => late.link?.announce(),
  });
  const { engine } = service;
  const loaded = await repository.loadUnfinished();
  for (const corrupt of loaded.quarantined)
    log.error('store.quarantined', { key: corrupt.key, reason: corrupt.reason });
  engine.adoptStored(loaded.records);

  const transport = await connectTransport(
    {
      servers: config.nats.servers,
      name: `limpet-agent ${identity.nodeId}`,
      inboxPrefix: inboxPrefix(identity.nodeId),
      ...(config.nats.user === undefined ? {} : { user: config.nats.user }),
      ...(config.nats.password === undefined ? {} : { password: config.nats.password }),
    },
    log,
  );
  const sources: NodeInfoSources = {
    facts: {
      nodeId: identity.nodeId,
      name: config.name ?? hostname(),
      version: VERSION,
      labels: config.labels,
      capacity: capacityOf(config),
    },
    engine,
    health: () => host.health(),
    recovered: (name) => service.isRecovered(name),
  };
  const orders = new Orders({
    nodeId: identity.nodeId,
    engine,
    faults,
    log,
    admit: (live) => {
      service.admit(live);
    },
  });
  const link = new RequesterLink({
    transport,
    sources,
    inbox,
    outbox,
    orders,
    clock,
    faults,
    log,
    instanceId: identity.instanceId,
    bootId: processes.bootId(),
    startedAt,
    snapshot: async () => ({
      incarnation: randomUUID(),
      rows: await repository.snapshot(reportRow),
    }),
    stop: (id) => {
      void engine.dispatch(parseExecutionId(id), {
        type: 'stop',
        by: 'stop',
        reason: 'its owner does not want it here',
      });
    },
  });
  late.link = link;
  const streamServer = createStreamServer({
    transport,
    nodeId: identity.nodeId,
    clock,
    random: systemRandom,
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

  const status = (): AgentStatus =>
    agentStatus({
      config,
      identity,
      startedAt,
      version: VERSION,
      sources,
      service,
      link: link.status,
      quarantined: loaded.quarantined,
    });
  const socket = join(runDir, 'agent.sock');
  const closeApi = await listenLocal(
    localApi({ status, history: (id) => repository.events(id), stop: onStopOrder }),
    socket,
  );
  await writeFileAtomic(
    join(config.dataDir, 'agent.json'),
    `${JSON.stringify({ socket, pid: process.pid, nodeId: identity.nodeId })}\n`,
  );

  const sweep = setInterval(() => {
    const keep = { keepMs: config.keepFinishedMs, keepCount: config.keepFinishedCount };
    sweepFinished({
      repository,
      folders,
      clock,
      log,
      ...keep,
      acknowledged: () => outbox.idle,
    }).catch((thrown: unknown) => {
      log.warn('retention.failed', { reason: LimpetError.from(thrown).message });
    });
  }, RETENTION_EVERY_MS);
  streams.start();
  link.start();
  service.start();
  log.info('agent.started', {
    node: identity.nodeId,
    executions: loaded.records.length,
    dataDir: config.dataDir,
  });

  const shutDown = async (mode: 'detach' | 'kill'): Promise<void> => {
    clearInterval(sweep);
    if (mode === 'kill')
      await service.killAll(
        'the agent was told to end everything',
        config.stopGraceMs + KILL_TIMEOUT_SLACK_MS,
      );
    streams.close();
    await streamServer[Symbol.asyncDispose]();
    link.close();
    service.close();
    await (mode === 'kill' ? host.shutdown() : host.detach());
    await closeApi();
    await transport[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await rm(join(config.dataDir, 'agent.json'), { force: true });
    log.info('agent.stopped', { mode });
  };
  let stopping: Promise<void> | undefined;
  return { status, stop: (mode) => (stopping ??= shutDown(mode)) };
}
