/** The broker as the requester meets it. */
import {
  askBroker,
  brokerFinding,
  isLoopback,
  permissionFinding,
  type BrokerSeen,
  type BrokerSubject,
} from '../../adapters/doctor/broker.ts';
import type { Check, Finding } from '../../adapters/doctor/check.ts';
import type { Config } from '../config.ts';
import { transportOptions } from '../transport.ts';

const DEADLINE_MS = 15_000;
/** Nobody is called so, and nobody sends on a subject of this method. */
const NOBODY = 'n-00000000-0000-7000-8000-00000000d0c7';

export function brokerChecks(config: Config): readonly Check[] {
  const subject: BrokerSubject = {
    options: { ...transportOptions(config), name: 'limpet-doctor' },
    own: ['node.requester.*.Doctor/v1'],
    // Answered by the broker alone: there is no such node.
    ask: { subject: `node.compute.${NOBODY}.Doctor/v1`, payload: new Uint8Array() },
  };
  const asked = askBroker(subject);
  // Each check waits for it and tells what it threw.
  asked.catch(() => undefined);
  const check = (name: string, find: (seen: BrokerSeen) => Finding): Check => ({
    name,
    deadlineMs: DEADLINE_MS,
    look: async () => find(await asked),
  });
  return [
    check('broker', (seen) => brokerFinding(seen, isLoopback(config.nats.servers))),
    check('broker permissions', (seen) => permissionFinding(seen, subject)),
  ];
}
