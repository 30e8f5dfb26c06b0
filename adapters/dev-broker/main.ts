/**
 * The dev broker as a program: `dev-broker --port 0 --host 127.0.0.1 [--user NAME]`; the password comes by the
 * environment, LIMPET_BROKER_PASSWORD. Prints `listening nats://127.0.0.1:PORT` and ends on SIGTERM or SIGINT.
 */
import { parseArgs } from 'node:util';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { startDevBroker, type DevBrokerOptions } from './broker.ts';

function options(argv: readonly string[], environment: NodeJS.ProcessEnv): DevBrokerOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
      user: { type: 'string' },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new LimpetError(
      'invalid-argument',
      `--port is '${values.port}'; expected a number from 0 to 65535`,
    );
  }
  const listen = { host: values.host, port };
  if (values.user === undefined) return listen;
  const expected = environment['LIMPET_BROKER_PASSWORD'];
  if (expected === undefined || expected === '') {
    throw new LimpetError('invalid-argument', '--user needs a password in LIMPET_BROKER_PASSWORD');
  }
  return {
    ...listen,
    authorize: (user, password) => user === values.user && password === expected,
  };
}

async function main(): Promise<void> {
  const broker = await startDevBroker(options(process.argv.slice(2), process.env));
  const stop = () => void broker[Symbol.asyncDispose]().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.stdout.write(`listening ${broker.url}\n`);
}

try {
  await main();
} catch (thrown) {
  process.stderr.write(`dev-broker: ${messageOf(thrown)}\n`);
  process.exitCode = 2;
}
