/** Where the requester's API is: --api, LIMPET_API, or the files that a requester wrote into the data folder. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';

type Env = Readonly<NodeJS.ProcessEnv>;

export interface Endpoint {
  /** Without a trailing slash. */
  readonly url: string;
  readonly token?: string;
}

const endpointFile = z.object({ url: z.string(), pid: z.int().optional() });
export type EndpointFile = z.infer<typeof endpointFile>;

/** LIMPET_DATA, else ~/.limpet; absolute. */
export function dataFolder(env: Env, option?: string): string {
  return resolve(option ?? (env['LIMPET_DATA'] || join(homedir(), '.limpet')));
}

/** Throws `unavailable` when nothing says where a requester is, `invalid-argument` for an odd address. */
export function findEndpoint(env: Env, option?: string): Endpoint {
  const folder = join(dataFolder(env), 'requester');
  const local = readEndpointFile(folder);
  const named = option ?? (env['LIMPET_API'] || undefined);
  if (named === undefined && local === undefined)
    throw new LimpetError(
      'unavailable',
      `no requester found in ${folder}; start one with \`limpet dev\`, or name one with --api or LIMPET_API`,
    );
  const url = checkUrl(named ?? local?.url ?? '');
  // The token of the local requester is for the local requester alone.
  const token =
    env['LIMPET_TOKEN'] ||
    (local !== undefined && checkUrl(local.url) === url ? readToken(folder) : undefined);
  return token === undefined ? { url } : { url, token };
}

/** What a requester wrote into its folder; undefined when there is nothing readable. */
export function readEndpointFile(folder: string): EndpointFile | undefined {
  try {
    return endpointFile.parse(JSON.parse(readFileSync(join(folder, 'endpoint.json'), 'utf8')));
  } catch {
    return undefined;
  }
}

export function readToken(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, 'token'), 'utf8').trim() || undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new LimpetError('permission-denied', `cannot read the token: ${messageOf(error)}`);
  }
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new LimpetError(
      'invalid-argument',
      `API address '${text}' is not valid; expected http://host:port`,
    );
  return url.href.replace(/\/+$/, '');
}
