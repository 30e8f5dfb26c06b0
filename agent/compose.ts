/** Builds the agent out of its parts by plain constructor calls; nothing else in the program wires anything. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LimpetError } from '../core/errors.ts';
import { systemClock } from '../adapters/clock/system-clock.ts';
import { systemRandom } from '../adapters/clock/system-random.ts';
import { envFaults } from '../adapters/faults/env-faults.ts';
import { writeFileAtomic } from '../adapters/identity/write-file-atomic.ts';
import type { Logger } from '../adapters/log/port.ts';
import { connectTransport } from '../adapters/nats/nats-transport.ts';
import { procProcesses } from '../adapters/processes/proc.ts';
import { createStreamServer } from '../adapters/streams/stream-server.ts';
import { VERSION } from '../wire/version.ts';
import { inboxPrefix } from '../wire/subjects.ts';
import { listenLocal, localApi } from './api/local-api.ts';
import type { AgentStatus } from './api/status.ts';
import { agentStatus } from './api/status-of.ts';
import type { AgentConfig } from './config.ts';
import { Explainer } from './explain/explainer.ts';
import { formatMetrics } from './explain/metrics.ts';
import { serveExplanations } from './explain/requests.ts';
import { statusMetrics } from './explain/status-metrics.ts';
import { sweepFinished } from './executions/retention.ts';
import { AgentStreams } from './link/streams.ts';
import { assembleNode } from './node.ts';
import { createPluginHost } from './plugins/host.ts';
import { hostTimings, pluginSpecs } from './programs.ts';
import { openState } from './state.ts';

export interface Agent {
import { StoreWatch } from './store-watch.ts';
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
  const { identity, store, folders, runDir, damage, amiss } = await openState(config, clock);
  if (amiss !== undefined) log.error('store.amiss', { reason: amiss });
  const { minFreeBytes } = config;
  const room = new StoreWatch({ store, folder: config.dataDir, minFreeBytes, clock, log });
  const plugins = createPluginHost({
    specs: pluginSpecs(config),
    store,
    clock,
    processes,
    log,
    faults,
    random: systemRandom,
    runDir,
    timings: hostTimings(config),
    configureFacts: {
      nodeId: identity.nodeId,
      instanceId: identity.instanceId,
      runsDir: folders.runs,
      logsDir: folders.logs,
      stateDir: folders.plugins,
      socketsDir: join(runDir, 's'),
    },
  });

  const transport = await connectTransport(
    {
      servers: config.nats.servers,
  const host = room.over(plugins);
      name: `limpet-agent ${identity.nodeId}`,
      inboxPrefix: inboxPrefix(identity.nodeId),
      pingIntervalMs: config.nats.pingIntervalMs,
      ...(config.nats.user === undefined ? {} : { user: config.nats.user }),
      ...(config.nats.password === undefined ? {} : { password: config.nats.password }),
    },
    log,
  );
  const node = await assembleNode({
    config,
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
  const explainer = new Explainer({
    nodeId: identity.nodeId,
    clock,
      store: { damage, amiss, noRoom: () => room.noRoom },
    health: () => host.health(),
    client: (name) => host.client(name),
    live: () => [...engine.all()].map(({ record }) => record),
    record: async (id) => engine.get(id)?.record ?? (await repository.get(id)),
    ids: () => repository.ids(),
    events: (id) => repository.events(id),
  });
  const explanations = serveExplanations(transport, identity.nodeId, explainer);
  const metrics = (): string =>
    formatMetrics([...service.counters.metrics(), ...statusMetrics(status())]);
  const socket = join(runDir, 'agent.sock');
  const closeApi = await listenLocal(
    localApi({
      status,
      explainer,
      metrics,
      history: (id) => repository.events(id),
      acceptEngine: (name) => service.acceptEngine(name),
      stop: onStopOrder,
    }),
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
    explanations.unsubscribe();
    await streamServer[Symbol.asyncDispose]();
    link.close();
    service.close();
    await (mode === 'kill' ? host.shutdown() : host.detach());
  void room.start(() => {
    for (const health of host.health()) service.health(health);
  });
    await closeApi();
    await transport[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await rm(join(config.dataDir, 'agent.json'), { force: true });
    log.info('agent.stopped', { mode });
  };
  let stopping: Promise<void> | undefined;
  return { status, stop: (mode) => (stopping ??= shutDown(mode)) };
    clearInterval(sweeping);
    room.close();
}
