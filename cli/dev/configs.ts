/** The configuration files that `limpet dev` writes for its programs, at each start. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { BrokerUser } from '../../wire/permissions.ts';
import type { DevOptions } from './dev-options.ts';
import { writeSecretFile } from './users.ts';

export interface BrokerAccess extends Pick<BrokerUser, 'user' | 'password'> {
  readonly url: string;
}

/** `port` 0 takes any free one. Answers the path. */
export function writeRequesterConfig(data: string, broker: BrokerAccess, port: number): string {
  return write(join(data, 'requester.config.json'), {
    nats: access(broker),
    http: { host: '127.0.0.1', port },
  });
}

/**
 * Before there is a `broker` it tells the agent where it lives, and no more. Answers the path. Throws `invalid-config` when
 * the config laid over it cannot be read.
 */
export function writeAgentConfig(options: DevOptions, broker: BrokerAccess | undefined): string {
  const executors = Object.fromEntries(options.executors.map((name) => [name, { enabled: true }]));
  const generated = {
    dataDir: join(options.data, 'agent'),
    ...(broker === undefined ? {} : { nats: access(broker) }),
    executors,
    allowLocal: options.allowLocal.map((path) => ({ path })),
    ...(options.pluginDir === undefined ? {} : { pluginDir: options.pluginDir }),
  };
  const given = options.agentConfig === undefined ? {} : readMapping(options.agentConfig);
  return write(join(options.data, 'agent.config.json'), overlay(generated, given));
}

function access({ url, user, password }: BrokerAccess): object {
  return { servers: [url], user, password };
}

function write(path: string, config: object): string {
  writeSecretFile(path, JSON.stringify(config, undefined, 2));
  return path;
}

type Mapping = Readonly<Record<string, unknown>>;
const mapping = z.record(z.string(), z.unknown());

function readMapping(file: string): Mapping {
  try {
    return mapping.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    const why = messageOf(cause).split('\n')[0];
    throw new LimpetError('invalid-config', `${file} is not a readable JSON object: ${why}`, {
      cause,
    });
  }
}

/** Mappings are merged level by level; anything else of `over` replaces. */
export function overlay(base: Mapping, over: Mapping): Mapping {
  const merged = Object.entries(over).map(([key, value]): [string, unknown] => {
    const below = mapping.safeParse(Object.hasOwn(base, key) ? base[key] : undefined);
    const above = mapping.safeParse(value);
    return [key, below.success && above.success ? overlay(below.data, above.data) : value];
  });
  return { ...base, ...Object.fromEntries(merged) };
}
