import t, { type Test } from 'tap';
import { startDevBroker, type DevBroker } from '../../adapters/dev-broker/broker.ts';
import { testRenewal } from './transport-renewal.ts';
import { testTransport, type BrokerUnderTest } from './transport-suite.ts';

async function start(t: Test): Promise<BrokerUnderTest> {
  let broker: DevBroker = await startDevBroker({ host: '127.0.0.1', port: 0 });
  const { port, url } = broker;
  const kill = (): Promise<void> => broker[Symbol.asyncDispose]();
  t.teardown(kill);
  const restart = async (): Promise<void> => {
    broker = await startDevBroker({ host: '127.0.0.1', port });
  };
  return { url, kill, restart };
}

t.test('transport over the dev broker', (t) => {
  testTransport(t, start);
  testRenewal(t, start);
  t.end();
});
