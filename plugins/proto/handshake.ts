/**
 * The start of hashicorp/go-plugin's wire: what the host puts into the environment and the one line that a plugin
 * answers as the first line of its stdout, once it listens.
 *
 *   host   LIMPET_PLUGIN=<cookie> PLUGIN_PROTOCOL_VERSIONS=1 PLUGIN_UNIX_SOCKET_DIR=<dir> LIMPET_PLUGIN_INSTANCE=<id>
 *   plugin 1|1|unix|<dir>/plugin.sock|grpc|
 *          core version | app version | network | address | protocol | server certificate (always empty here)
 */
import { LimpetError } from '../../core/errors.ts';

/** The cookie tells a plugin that a Limpet agent started it. It is for people's sake, not for security. */
export const COOKIE_KEY = 'LIMPET_PLUGIN';
export const COOKIE_VALUE = '8f0d4c5e7b6a4f21a3d97c10be52e6f4';

export const CORE_PROTOCOL_VERSION = 1;
/** Changes only when the proto breaks; additions keep it and are told by capability flags. */
export const APP_PROTOCOL_VERSION = 1;

/** Comma list of app versions that the host speaks. */
export const ENV_PROTOCOL_VERSIONS = 'PLUGIN_PROTOCOL_VERSIONS';
/** Folder for the socket; set TMPDIR to the same for older go-plugin libraries. */
export const ENV_SOCKET_DIR = 'PLUGIN_UNIX_SOCKET_DIR';
/** Set by hosts that want the broker multiplexed; any value makes the plugin append `|false`. */
export const ENV_MULTIPLEX = 'PLUGIN_MULTIPLEX_GRPC';
/** Set by hosts that want AutoMTLS, which excludes reattaching; not spoken here. */
export const ENV_CLIENT_CERT = 'PLUGIN_CLIENT_CERT';
/** The id that the host mints for each plugin process; Info echoes it, which proves identity at reattach. */
export const ENV_INSTANCE = 'LIMPET_PLUGIN_INSTANCE';

/** The only service name that go-plugin asks the health service for. */
export const HEALTH_SERVICE = 'plugin';

/** Node silently truncates longer unix socket paths, so nobody may use one. */
export const MAX_SOCKET_PATH_BYTES = 100;

export interface Handshake {
  readonly appVersion: number;
  readonly network: 'unix' | 'tcp';
  /** Bare path or host:port, without a scheme. */
  readonly address: string;
}

/** The line, newline included. `multiplex` is true when the host asked for it: the answer is always "false". */
export function formatHandshake(handshake: Handshake, multiplex: boolean): string {
  const { appVersion, network, address } = handshake;
  const tail = multiplex ? '|false' : '';
  return `${CORE_PROTOCOL_VERSION}|${appVersion}|${network}|${address}|grpc|${tail}\n`;
}

/** Parses the first line of a plugin's stdout. Throws `plugin-failed` with what is wrong. */
export function parseHandshake(line: string): Handshake {
  const [core, app, network, address, protocol, certificate] = line.trim().split('|');
  const broken = (why: string) =>
    new LimpetError(
      'plugin-failed',
      `the plugin's handshake '${line.trim().slice(0, 200)}' ${why}`,
    );
  if (address === undefined || address === '')
    throw broken('has fewer than 4 fields; a plugin begins its stdout with it: is this one?');
  if (Number(core) !== CORE_PROTOCOL_VERSION)
    throw broken(`has core version ${core}; expected ${CORE_PROTOCOL_VERSION}`);
  if (protocol !== 'grpc') throw broken(`speaks '${protocol ?? 'netrpc'}'; expected grpc`);
  if (network !== 'unix' && network !== 'tcp') throw broken(`names the network '${network}'`);
  if (Number(app) !== APP_PROTOCOL_VERSION)
    throw broken(`has protocol version ${app}; this agent speaks ${APP_PROTOCOL_VERSION}`);
  if (certificate !== undefined && certificate.length > 50)
    throw broken('carries a certificate; plugins are spoken to without TLS');
  return { appVersion: Number(app), network, address };
}

/** The highest version that both speak; without a common one our lowest, so that the host reports the mismatch. */
export function negotiateVersion(offered: string | undefined, own: readonly number[]): number {
  const theirs = new Set((offered ?? '').split(',').map((text) => Number(text.trim() || 'none')));
  const common = own.filter((version) => theirs.has(version));
  return common.length > 0 ? Math.max(...common) : Math.min(...own);
}

/** What @grpc/grpc-js dials for an address out of a handshake. */
export function dialTarget(handshake: Pick<Handshake, 'network' | 'address'>): string {
  return handshake.network === 'unix' ? `unix:${handshake.address}` : handshake.address;
}
