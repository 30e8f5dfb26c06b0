/**
 * The requester program: `main.ts [--config FILE] --data DIR`;
 * `main.ts --init` makes an authority over a broker instead, `--renew-certificates` a new certificate of one.
 * Exit codes: 0 stopped, 1 failed, 2 usage or config.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { envFaults } from '../adapters/faults/env-faults.ts';
import { systemClock } from '../adapters/clock/system-clock.ts';
import { checkOwner } from '../adapters/identity/folder-owner.ts';
import { systemRandom } from '../adapters/clock/system-random.ts';
import { failedStart } from '../adapters/systemd/failed-start.ts';
import { serviceManager } from '../adapters/systemd/notify.ts';
import { logFormat, pinoLog } from '../adapters/log/pino-log.ts';
import { LimpetError, messageOf } from '../core/errors.ts';
import { compose, type Requester } from './compose.ts';
import { loadConfig } from './config.ts';
import { requesterReload } from './reload.ts';

const USAGE = `usage: requester [--config FILE] [--data DIR]
  --config FILE  JSON; every field has a default (see requester.config.json)
  --data DIR     store, token and endpoint.json; default: $LIMPET_DATA/requester
usage: requester --doctor [--config FILE] [--data DIR]
  looks at what it needs, prints as JSON what was found, and ends; changes nothing
usage: requester --init --folder DIR
  makes operator, account, keys and nats-server.conf, and ends
usage: requester --renew-certificates --folder DIR
  makes a new certificate for the broker, and ends`;

interface Flags {
  readonly config: string | undefined;
  readonly data: string;
}

function readFlags(args?: string[]): Flags {
  const { values } = parseArgs({
    ...(args === undefined ? {} : { args }),
    options: {
      config: { type: 'string' },
      data: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) throw new LimpetError('invalid-argument', USAGE);
  const base = process.env['LIMPET_DATA'];
  const data =
    values.data ?? (base === undefined || base === '' ? undefined : join(base, 'requester'));
  if (data === undefined) throw new LimpetError('invalid-argument', `--data is missing\n${USAGE}`);
  return { config: values.config, data };
}

async function start({ config: file, data }: Flags): Promise<Requester> {
  const config = await loadConfig(file);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  checkOwner(join(data, 'token'), 'limpet-requester');
  const { level } = config.log;
  const log = pinoLog({ format: logFormat(process.env, process.stderr.isTTY), level });
  const late: { requester?: Requester } = {};
  const renewCertificate = async (): Promise<void> => late.requester?.renewCertificate();
  const reloading = requesterReload(config, file, { log, renewCertificate });
  const requester = (late.requester = await compose({
    config: reloading.config,
    folder: data,
    clock: systemClock(),
    random: systemRandom,
    faults: envFaults(process.env),
    log,
    service: serviceManager(process.env, log),
    problem: reloading.problem,
  }));
  process.on('SIGHUP', () => {
    void requester.unit.reload(async () => void (await reloading.reload.run()));
  });
  return requester;
}

function stopOnSignals(requester: Requester): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    requester[Symbol.asyncDispose]().then(
      () => process.exit(0),
      (thrown: unknown) => {
        process.stderr.write(`requester: stopped badly: ${messageOf(thrown)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function usage(args?: string[]): Flags {
  try {
    return readFlags(args);
  } catch (thrown) {
    process.stderr.write(`${messageOf(thrown)}\n`);
    process.exit(2);
  }
}

/** `run` loads what only this takes. */
async function once(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (thrown) {
    process.stderr.write(`requester: ${messageOf(thrown)}\n`);
    process.exitCode = LimpetError.from(thrown).code === 'invalid-argument' ? 2 : 1;
  }
}

async function doctor(args: readonly string[]): Promise<void> {
  const { requesterDoctor } = await import('./doctor/doctor.ts');
  const report = await requesterDoctor(usage([...args]));
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

async function serve(): Promise<void> {
  try {
    stopOnSignals(await start(usage()));
  } catch (thrown) {
    process.stderr.write(`requester: ${messageOf(thrown)}\n`);
    process.exit(await failedStart(LimpetError.from(thrown), process.env));
  }
}

const [, , first, ...rest] = process.argv;
if (first === '--init')
  await once(async () => (await import('./authority/init-program.ts')).runInit(rest));
else if (first === '--renew-certificates')
  await once(async () => (await import('./authority/renew-program.ts')).runRenew(rest));
else if (first === '--doctor') await doctor(rest);
else await serve();
