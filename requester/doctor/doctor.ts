/** `requester --doctor`: looks at what a requester needs and changes nothing, whether it runs or not. */
import { join } from 'node:path';
import {
  failure,
  fine,
  runChecks,
  skipped,
  type Check,
  type Finding,
} from '../../adapters/doctor/check.ts';
import { diskRoom } from '../../adapters/doctor/disk.ts';
import { clockSynchronised, nodeVersion } from '../../adapters/doctor/machine.ts';
import { storeCheck } from '../../adapters/doctor/store-files.ts';
import { LimpetError } from '../../core/errors.ts';
import type { DoctorReport } from '../../wire/doctor.ts';
import { VERSION } from '../../wire/version.ts';
import { loadConfig } from '../config.ts';
import { readBeside } from '../state/open.ts';
import { SCHEMA_VERSION } from '../state/keys.ts';
import { apiCheck, askApi, tlsCheck, tokenCheck, type ApiSeen } from './api.ts';
import { brokerChecks } from './broker.ts';
import { brokerCertificateCheck } from './broker-certificate.ts';

/** A store without room stops everything. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024;

export interface DoctorOrder {
  readonly config: string | undefined;
  readonly data: string;
}

export async function requesterDoctor({ config: file, data }: DoctorOrder): Promise<DoctorReport> {
  const config = await loadConfig(file).catch((thrown: unknown) => LimpetError.from(thrown));
  const machine = [nodeVersion(), clockSynchronised()];
  if (config instanceof LimpetError) return report(false, [...machine, ...wrongConfig(config)]);
  const api = await askApi(data);
  const given = file === undefined ? 'none given: every field has its default' : `${file} is valid`;
  return report(api.answers, [
    ...machine,
    { name: 'config', look: () => fine(given) },
    diskRoom(data, LEAST_FREE_BYTES),
    tokenCheck(data),
    tlsCheck(config),
    apiCheck(config, api),
    requesterStore(data, api),
    brokerCertificateCheck(config),
    ...brokerChecks(config),
  ]);
}

async function report(running: boolean, checks: readonly Check[]): Promise<DoctorReport> {
  return { v: 1, program: 'requester', version: VERSION, running, checks: await runChecks(checks) };
}

function wrongConfig({ message }: LimpetError): readonly Check[] {
  const rest = (): Finding => skipped('the config is wrong', 'correct the config first');
  return [
    { name: 'config', look: () => failure(message, 'see docs/reference/requester-config.md') },
    { name: 'everything else', look: rest },
  ];
}

function requesterStore(data: string, { answers }: ApiSeen): Check {
  return storeCheck({
    folder: join(data, 'store'),
    schemaVersion: SCHEMA_VERSION,
    generation: async () => (await readBeside(join(data, 'generation.json'))).generation,
    running: answers,
    describe: async (store) => {
      const { entries } = await store.scan({ prefix: 'live/' });
      return `${entries.length} jobs that are not over`;
    },
  });
}
