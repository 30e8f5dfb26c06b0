/**
 * The dev broker as a program: `dev-broker --port 0 --host 127.0.0.1 [--users FILE]`; FILE holds a JSON list of users
 * (`wire/permissions.ts`). Prints `listening nats://127.0.0.1:PORT` and ends on SIGTERM or SIGINT.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { brokerUserSchema, type BrokerUser } from '../../wire/permissions.ts';
import { startDevBroker, type DevBrokerOptions } from './broker.ts';

function options(argv: readonly string[]): DevBrokerOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
      users: { type: 'string' },
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
  if (values.users === undefined) return listen;
  const users = readUsers(values.users);
  return {
    ...listen,
    authorize: (user, password) =>
      users.find((one) => one.user === user && one.password === password)?.permissions ?? false,
  };
}

/** Says nothing of what stands there: it holds passwords. */
function readUsers(file: string): readonly BrokerUser[] {
  try {
    return z.array(brokerUserSchema).parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new LimpetError(
      'invalid-config',
      `--users ${file} is no readable list of users in JSON: write it anew`,
      { cause },
    );
  }
}

async function main(): Promise<void> {
  const broker = await startDevBroker(options(process.argv.slice(2)));
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
