/** Reads the handshake: the first line of the file that is the plugin's stdout. */
import { open } from 'node:fs/promises';
import type { Clock } from '../../adapters/clock/port.ts';
import { LimpetError } from '../../core/errors.ts';
import {
  MAX_SOCKET_PATH_BYTES,
  parseHandshake,
  type Handshake,
} from '../../plugins/proto/handshake.ts';
import type { PluginTimings } from './options.ts';

const LONGEST_LINE = 4096;

export interface HandshakeWait {
  readonly file: string;
  readonly clock: Clock;
  readonly timings: Pick<PluginTimings, 'startMs' | 'handshakePollMs'>;
  readonly signal: AbortSignal;
  /** How the process ended; undefined while it lives. */
  ended(): string | undefined;
}

/** Errors: `plugin-failed` (ended, silent, no handshake), `cancelled`. */
export async function awaitHandshake(wait: HandshakeWait): Promise<Handshake> {
  const { clock, timings, signal } = wait;
  const end = clock.uptime() + timings.startMs;
  for (;;) {
    const how = wait.ended();
    const line = await firstLine(wait.file);
    if (line !== undefined) return checkAddress(parseHandshake(line));
    if (how !== undefined) throw new LimpetError('plugin-failed', `it ${how} before the handshake`);
    if (clock.uptime() >= end)
      throw new LimpetError('plugin-failed', `no handshake within ${timings.startMs} ms`);
    await clock.sleep(timings.handshakePollMs, signal);
  }
}

async function firstLine(file: string): Promise<string | undefined> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LONGEST_LINE), 0, LONGEST_LINE, 0);
    const text = buffer.toString('utf8', 0, bytesRead);
    const end = text.indexOf('\n');
    if (end >= 0) return text.slice(0, end);
    return bytesRead === LONGEST_LINE ? text : undefined;
  } finally {
    await handle.close();
  }
}

function checkAddress(handshake: Handshake): Handshake {
  const { network, address } = handshake;
  if (network !== 'unix')
    throw new LimpetError(
      'plugin-failed',
      `it listens on ${network} ${address}; expected a unix socket`,
    );
  const length = Buffer.byteLength(address);
  if (!address.startsWith('/') || length > MAX_SOCKET_PATH_BYTES)
    throw new LimpetError(
      'plugin-failed',
      `its socket path '${address}' has ${length} bytes; expected an absolute path of at most ${MAX_SOCKET_PATH_BYTES}`,
    );
  return handshake;
}
