/** One request on a connection of its own. */
import { LimpetError } from '../../core/errors.ts';
import { BrokerConnection } from './broker-connection.ts';
import { dial } from './dial.ts';
import { connectionDetail, REFUSED } from './nats-errors.ts';
import type { TransportOptions } from './port.ts';

export interface Question {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly timeoutMs: number;
}

/** Errors: `permission-denied` (the broker refuses the credentials, or the subject), `unavailable`, `timeout`. */
export async function askOnce(
  options: TransportOptions,
  { subject, payload, timeoutMs }: Question,
): Promise<Uint8Array> {
  const broker = options.servers.join(', ');
  const credentials = options.credentials?.();
  const nats = await dial(options, credentials).catch((thrown: unknown) => {
    const detail = connectionDetail(thrown, broker, credentials);
    const code = detail.startsWith(REFUSED) ? 'permission-denied' : 'unavailable';
    throw new LimpetError(code, detail, { cause: thrown });
  });
  const connection = new BrokerConnection(nats, broker, () => undefined);
  try {
    return await connection.request(subject, payload, timeoutMs);
  } finally {
    await connection.close();
  }
}
