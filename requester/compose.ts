/** Builds the requester out of its parts; nothing else knows them all. */
import type { Clock, Random } from '../adapters/clock/port.ts';
import type { Faults } from '../adapters/faults/port.ts';
import type { Logger } from '../adapters/log/port.ts';
import { passwordOf } from '../adapters/nats/credentials.ts';
import { connectTransport } from '../adapters/nats/nats-transport.ts';
import type { Transport } from '../adapters/nats/port.ts';
import type { Store } from '../adapters/store/port.ts';
import { ApiTokens } from './api/api-tokens.ts';
import { serveApi, type Api } from './api/server.ts';
import { readToken } from './api/token.ts';
import type { Config } from './config.ts';
import { startCore } from './core.ts';
import { LogReader } from './logs/log-reader.ts';
import { NodeStreams } from './nodes/streams.ts';
import { openState } from './state/open.ts';

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
  readonly routes: Api['routes'];
  /** Takes what the files of http.tls hold now. Errors: `invalid-config`; the certificate of before stays. */
  renewCertificate(): Promise<void>;
  /** Stops taking requests, finishes what was begun, closes. Twice is the same as once. */
  [Symbol.asyncDispose](): Promise<void>;
}

export async function compose(setting: Setting): Promise<Requester> {
  const { config, folder, log } = setting;
  const token = await readToken(folder);
  const { store, problems } = await openState(setting);
  const undo: (() => Promise<void> | void)[] = [() => store[Symbol.asyncDispose]()];
  try {
    const transport = await connect(config, log);
    undo.unshift(() => transport[Symbol.asyncDispose]());
    const api = await assemble({ ...setting, store, problems, transport, token, undo });
    undo.unshift(() => api[Symbol.asyncDispose]());
    log.info('requester.ready', { url: api.url });
    const { url, routes } = api;
    return {
      ...{ url, routes, renewCertificate: () => api.renewCertificate() },
      [Symbol.asyncDispose]: once(() => unwind(undo)),
    };
  } catch (thrown) {
    await unwind(undo);
    throw thrown;
  }
}

function connect(config: Config, log: Logger): Promise<Transport> {
  const { servers } = config.nats;
  return connectTransport(
    {
      servers,
      name: 'limpet-requester',
      inboxPrefix: '_INBOX.requester',
      credentials: () => passwordOf(config.nats),
    },
    log,
  );
}

interface Assembly extends Setting {
  readonly store: Store;
  readonly problems: readonly string[];
  readonly transport: Transport;
  readonly token: string;
  /** What has to be undone at the end, the last first. */
  readonly undo: (() => Promise<void> | void)[];
}

async function assemble(given: Assembly): Promise<Api> {
  const { config, clock, log, folder, token, transport, undo, store } = given;
  const core = await startCore(given);
  undo.unshift(() => core.close());
  const { world, reader, mint, coordinator, presence, watchers, rollCall, requesterId } = core;
  const { requestTimeoutMs } = config.nats;
  const streams = new NodeStreams({ transport, clock, requestTimeoutMs, requesterId });
  undo.unshift(() => streams[Symbol.asyncDispose]());
  const tokens = await ApiTokens.load({ store, clock, log });
  undo.unshift(() => tokens.close());
  const logs = new LogReader({ streams, reader, watchers, clock });
  return serveApi({
    ...{ config, folder, token, tokens, log, clock, world, reader, mint, coordinator, presence },
    ...{ transport, logs, streams, watchers, requesterId },
    problems: () => [
      ...(store.failing === undefined ? [] : [`the store cannot be written: ${store.failing}`]),
      ...given.problems,
      ...(rollCall.problem === undefined ? [] : [rollCall.problem]),
    ],
  });
}

async function unwind(undo: readonly (() => Promise<void> | void)[]): Promise<void> {
  for (const step of undo) await step();
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
