/** The broker as the requester meets it. */
import {
  askBroker,
  brokerFinding,
  isLoopback,
  permissionFinding,
  type BrokerSeen,
  type BrokerSubject,
} from '../../adapters/doctor/broker.ts';
import { failure, type Check, type Finding } from '../../adapters/doctor/check.ts';
import type { TransportOptions } from '../../adapters/nats/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { Config } from '../config.ts';
import { transportOptions } from '../transport.ts';

const DEADLINE_MS = 15_000;
/** Nobody is called so, and nobody sends on a subject of this method. */
const NOBODY = 'n-00000000-0000-7000-8000-00000000d0c7';

export function brokerChecks(config: Config): readonly Check[] {
  try {
    return checksWith(transportOptions(config), config);
  } catch (thrown) {
    const { message } = LimpetError.from(thrown);
    const fix = 'correct the nats section of the config, or make them: limpet requester init';
    return [{ name: 'broker', look: () => failure(message, fix) }];
  }
}

function checksWith(options: TransportOptions, config: Config): readonly Check[] {
  const joins = config.authority === undefined ? [] : ['node.join.*.Doctor/v1'];
  const subject: BrokerSubject = {
    options: { ...options, name: 'limpet-doctor' },
    own: ['node.requester.*.Doctor/v1', ...joins],
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
