/** The broker as the requester meets it. */
import type { BrokerSubject } from '../../adapters/doctor/broker.ts';
import { brokerChecks as checksOfBroker, NOBODY } from '../../adapters/doctor/broker-checks.ts';
import { failure, type Check } from '../../adapters/doctor/check.ts';
import type { TransportOptions } from '../../adapters/nats/port.ts';
import { LimpetError } from '../../core/errors.ts';
import type { Config } from '../config.ts';
import { transportOptions } from '../transport.ts';

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
  return checksOfBroker(subject);
}
