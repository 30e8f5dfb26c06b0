/** The requester's HTTP API as clients of this host find it: endpoint.json, the token, the certificate. */
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { request as askHttp } from 'node:http';
import { request as askHttps } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import {
  failure,
  fine,
  isDenied,
  notAllowed,
  skipped,
  warning,
  type Check,
  type Finding,
} from '../../adapters/doctor/check.ts';
import { LimpetError } from '../../core/errors.ts';
import type { Config } from '../config.ts';

const DEADLINE_MS = 5_000;
const OTHERS = 0o077;
/** So long before its end a certificate is warned of. */
export const MONTH_MS = 30 * 86_400_000;

export interface ApiSeen {
  readonly answers: boolean;
  /** Empty when there is no endpoint.json. */
  readonly url: string;
  /** Why it does not answer. */
  readonly reason: string;
}

const endpointSchema = z.object({ url: z.string() });

export async function askApi(data: string): Promise<ApiSeen> {
  const text = await readFile(join(data, 'endpoint.json'), 'utf8').catch(() => '');
  try {
    const { url } = endpointSchema.parse(JSON.parse(text));
    const reason = await alive(new URL('/api/v1/agent/alive', url)).then(
      () => '',
      (thrown: unknown) => LimpetError.from(thrown).message,
    );
    return { answers: reason === '', url, reason };
  } catch {
    return { answers: false, url: '', reason: '' };
  }
}

/** Of whatever status: somebody speaks HTTP there. */
function alive(url: URL): Promise<void> {
  return new Promise((resolve, reject) => {
    // Whether clients trust its certificate is another check.
    const asked =
      url.protocol === 'https:' ? askHttps(url, { rejectUnauthorized: false }) : askHttp(url);
    const late = setTimeout(() => {
      asked.destroy(new LimpetError('timeout', `silent for ${DEADLINE_MS / 1000} s`));
    }, DEADLINE_MS);
    asked.once('response', (response) => {
      response.resume();
      resolve();
    });
    asked.once('close', () => clearTimeout(late)).once('error', reject);
    asked.end();
  });
}

export function apiCheck({ http }: Config, seen: ApiSeen): Check {
  return {
    name: 'api',
    look: async () => {
      const { host, port } = http;
      if (seen.answers) return fine(`${seen.url} answers`);
      if (seen.url !== '')
        return failure(
          `${seen.url} does not answer: ${seen.reason}`,
          'start the requester; a crash may have left endpoint.json behind',
        );
      if (port !== 0 && (await isTaken(host, port)))
        return failure(
          `another program listens on ${host}:${port}`,
          'end it, or set http.port in the config',
        );
      return warning(
        'no requester runs on this folder',
        'start it: systemctl start limpet-requester, or limpet requester',
      );
    },
  };
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: DEADLINE_MS });
    const end = (taken: boolean) => (): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}

export function tokenCheck(data: string): Check {
  return {
    name: 'token',
    look: async () => {
      const file = join(data, 'token');
      const found = await stat(file).catch((thrown: unknown) => {
        if (isDenied(thrown)) return 'denied';
        return undefined;
      });
      if (found === 'denied') return notAllowed(file);
      if (found === undefined) return fine(`none yet: the first start makes ${file}`);
      return (found.mode & OTHERS) === 0
        ? fine(`${file} is its owner's alone`)
        : failure(`others may read ${file}`, `chmod 0600 ${file}, and give out new tokens`);
    },
  };
}

export function tlsCheck({ http: { tls } }: Config): Check {
  return {
    name: 'certificate',
    look: async () => {
      if (tls === undefined)
        return skipped('the API speaks plain http (no http.tls in the config)');
      return certificate(tls);
    },
  };
}

async function certificate(tls: NonNullable<Config['http']['tls']>): Promise<Finding> {
  const { certFile, keyFile } = tls;
  const shown = new X509Certificate(await readFile(certFile));
  const left = Date.parse(shown.validTo) - Date.now();
  const found = `${certFile} is for ${(shown.subjectAltName ?? shown.subject).replaceAll('\n', ' ')}, until ${shown.validTo}`;
  if (((await stat(keyFile)).mode & 0o007) !== 0)
    return failure(`everybody may read ${keyFile}`, `chmod o-rwx ${keyFile}, and make a new key`);
  if (left < 0) return failure(found, 'replace the certificate, then send SIGHUP');
  return left < MONTH_MS ? warning(found, 'replace it in time, then send SIGHUP') : fine(found);
}
