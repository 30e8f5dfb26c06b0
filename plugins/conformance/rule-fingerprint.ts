/** The stream by which an executor tells its health: a host that hears nothing takes it for hung. */
import { Health } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { demand } from './expect.ts';
import { Violation, type Calls, type Rule } from './types.ts';

const FIRST_MS = 5000;
const AGAIN_MS = 35_000;

/** So many messages within the time. */
async function hear(calls: Calls, count: number, withinMs: number): Promise<void> {
  let heard = 0;
  try {
    for await (const { health } of calls.fingerprint({}, { deadlineMs: withinMs })) {
      demand(health !== Health.UNSPECIFIED, 'a health', 'HEALTH_UNSPECIFIED');
      heard += 1;
      if (heard === count) return;
    }
  } catch (thrown) {
    if (thrown instanceof Violation) throw thrown;
  }
  throw new Violation(`${count} fingerprints within ${withinMs / 1000} s`, String(heard));
}

export const fingerprint: Rule = {
  id: 'handshake/fingerprint',
  title: 'Fingerprint tells a health at once',
  shares: true,
  check: ({ plugin }) => hear(plugin.calls, 1, FIRST_MS),
};

export const fingerprintKept: Rule = {
  id: 'handshake/fingerprint-kept',
  title: 'Fingerprint is told again within 30 s',
  slow: '35 s',
  seconds: 90,
  check: ({ plugin }) => hear(plugin.calls, 2, AGAIN_MS),
};
