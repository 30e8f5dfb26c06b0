/**
 * The rules of meeting a plugin: handshake, health, identity, config, schemas, fingerprint.
 *
 *   handshake/line             1|1|unix|PATH|grpc|  in 10 s, and not a field more than a host asked for
 *   handshake/cookie           started without the cookie: a text on stderr, nothing on stdout, exit code 1
 *   handshake/socket           in the folder that the host names, and nobody else may write to it
 *   handshake/health           SERVING for the service 'plugin'
 *   handshake/instance         Info echoes LIMPET_PLUGIN_INSTANCE and tells name and version
 *   handshake/unclaimed        what is not claimed answers UNIMPLEMENTED
 *   handshake/configure-twice  the same Configure again is fine
 *   handshake/configure-wrong  a wrong config: INVALID_ARGUMENT with the path; a right one is taken afterwards
 *   handshake/schemas          config and params: JSON Schemas that compile, config and samples fit, `invalid` does not
 *   handshake/fingerprint      the first one at once, with a health
 *   handshake/fingerprint-kept a second one within 35 s
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  Health,
  HealthCheckResponse_ServingStatus as Serving,
} from '../proto/gen/grpc/health/v1/health_pb.js';
import { client } from '../proto/grpc.ts';
import { COOKIE_KEY, HEALTH_SERVICE, MAX_SOCKET_PATH_BYTES } from '../proto/handshake.ts';
import { demand, demandEqual, demandStatus } from './expect.ts';
import { fingerprint, fingerprintKept } from './rule-fingerprint.ts';
import { invalidParams, schemas } from './rule-schemas.ts';
import { unclaimed } from './rule-unclaimed.ts';
import { until } from './wait.ts';
import { wrongConfig } from './wrong-config.ts';
import type { Rule } from './types.ts';

const READY_MS = 10_000;
const REFUSED_MS = 10_000;
const OTHERS_WRITE = 0o022;

const line: Rule = {
  id: 'handshake/line',
  title: 'The first line of stdout is the handshake: 1|1|unix|PATH|grpc|, within 10 s',
  shares: true,
  async check({ plugin }) {
    const text = /^.*\n/.exec(plugin.stdout())?.[0] ?? '';
    const fields = text.trim().split('|');
    const said = JSON.stringify(text);
    demand(fields.length <= 6, '6 fields, since PLUGIN_MULTIPLEX_GRPC was not set', said);
    demandEqual('network', fields[2], 'unix');
    demandEqual('protocol', fields[4], 'grpc');
    demand(plugin.readyMs < READY_MS, 'it within 10 s', `${Math.round(plugin.readyMs)} ms`);
  },
};

const cookie: Rule = {
  id: 'handshake/cookie',
  title: 'Started by hand, without the cookie, it says so on stderr and exits with 1',
  async check(bench) {
    const plugin = bench.launch({ [COOKIE_KEY]: undefined });
    const said = () => plugin.stdout();
    const look = () => plugin.end ?? (said() === '' ? undefined : 'none');
    await until('the end of the plugin', look, REFUSED_MS);
    demand(said() === '', 'nothing on stdout', JSON.stringify(said().slice(0, 80)));
    demandEqual('exit', plugin.end, 'code 1');
    demand(plugin.stderr().trim() !== '', 'a text for people on stderr', 'nothing');
  },
};

const socket: Rule = {
  id: 'handshake/socket',
  title: 'Its socket lies in the folder that the host names, and only its own user may connect',
  shares: true,
  async check({ plugin }) {
    const { address } = plugin.handshake;
    const folder = dirname(plugin.outFile);
    demand(address.startsWith(`${folder}/`), `a socket below ${folder}`, address);
    const bytes = Buffer.byteLength(address);
    demand(bytes <= MAX_SOCKET_PATH_BYTES, `a path of ${MAX_SOCKET_PATH_BYTES} bytes`, `${bytes}`);
    const { mode } = statSync(address);
    const found = (mode & 0o777).toString(8);
    demand((mode & OTHERS_WRITE) === 0, 'a socket that others may not write to', `mode ${found}`);
  },
};

const health: Rule = {
  id: 'handshake/health',
  title: "grpc.health.v1 answers SERVING for the service 'plugin'",
  shares: true,
  async check({ plugin }) {
    const { connection } = plugin.connect();
    const { status } = await client(Health, connection).check({ service: HEALTH_SERVICE });
    connection.close();
    demandEqual('status', Serving[status], 'SERVING');
  },
};

const instance: Rule = {
  id: 'handshake/instance',
  title: 'Info tells name and version, and echoes LIMPET_PLUGIN_INSTANCE',
  shares: true,
  async check({ plugin }) {
    const { name, version, instanceId } = await plugin.calls.info({});
    demandEqual('instance_id', instanceId, plugin.instance);
    demand(name !== '', 'a name', 'none');
    demand(version !== '', 'a version', 'none');
  },
};

const configureTwice: Rule = {
  id: 'handshake/configure-twice',
  title: 'Configure again with the same values is fine',
  shares: true,
  async check({ plugin }) {
    await plugin.configure();
    await plugin.configure();
  },
};

const configureWrong: Rule = {
  id: 'handshake/configure-wrong',
  title: 'A wrong config is INVALID_ARGUMENT and names the path; a right one is taken afterwards',
  async check(bench) {
    const plugin = await bench.spawn({ configure: false });
    const { configSchemaJson } = await plugin.calls.configSchema({});
    const { config, path } = wrongConfig(configSchemaJson, bench.config);
    const what = `Configure with a wrong '${path}'`;
    const message = await demandStatus(what, 'INVALID_ARGUMENT', plugin.configure(config));
    demand(message.includes(path), `'${path}' in its message`, message);
    await plugin.configure();
  },
};

export const handshakeRules: readonly Rule[] = [
  ...[line, cookie, socket, health, instance, unclaimed],
  ...[configureTwice, configureWrong, schemas, invalidParams, fingerprint, fingerprintKept],
];
