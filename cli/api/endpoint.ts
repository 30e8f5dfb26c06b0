/** Where the requester's API is: --api, LIMPET_API, or the files that a requester wrote into the data folder. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { LAYOUT } from '../install/layout.ts';

type Env = Readonly<NodeJS.ProcessEnv>;

export interface Endpoint {
  /** Without a trailing slash. */
  readonly url: string;
  readonly token?: string;
  /** Authorities beside those of Node, PEM. */
  readonly ca?: string;
}

const endpointFile = z.object({
  url: z.string(),
  pid: z.int().optional(),
  caFile: z.string().optional(),
});
export type EndpointFile = z.infer<typeof endpointFile>;

/** The folder of a person's own programs: LIMPET_DATA, else ~/.limpet; absolute. */
export function ownDataFolder(env: Env, option?: string): string {
  return resolve(option ?? (env['LIMPET_DATA'] || join(homedir(), '.limpet')));
}

/** The own one; where there is none, that of the installed programs. */
export function dataFolder(env: Env, option?: string, installed: string = LAYOUT.data): string {
  const own = ownDataFolder(env, option);
  const named = option !== undefined || Boolean(env['LIMPET_DATA']);
  return named || existsSync(own) || !existsSync(installed) ? own : installed;
}

/**
 * Throws `unavailable` when nothing says where a requester is, `invalid-argument` for an odd address, `permission-denied`
 * when only another user may read where it is.
 */
export function findEndpoint(env: Env, option?: string): Endpoint {
  const folder = join(dataFolder(env), 'requester');
  const local = readEndpointFile(folder);
  const named = option ?? (env['LIMPET_API'] || undefined);
  if (named === undefined && local === undefined) {
    checkReadable(folder);
    throw new LimpetError(
      'unavailable',
      `no requester found in ${folder}; start one with \`limpet dev\`, or name one with --api or LIMPET_API`,
    );
  }
  const url = checkUrl(named ?? local?.url ?? '');
  // The token of the local requester is for the local requester alone.
  const token =
    env['LIMPET_TOKEN'] ||
    (local !== undefined && checkUrl(local.url) === url ? readToken(folder) : undefined);
  const ca = url.startsWith('https:') ? authorities(env, local?.caFile) : undefined;
  return {
    url,
    ...(token === undefined ? {} : { token }),
    ...(ca === undefined ? {} : { ca }),
  };
}

function checkReadable(folder: string): void {
  try {
    readFileSync(join(folder, 'endpoint.json'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EACCES')
      throw new LimpetError(
        'permission-denied',
        `only another user may read ${folder}: use sudo, or set LIMPET_API and LIMPET_TOKEN (\`limpet requester token create\`)`,
      );
  }
}

/** LIMPET_CA, else the file that the local requester names, when it can be read. */
function authorities(env: Env, localFile: string | undefined): string | undefined {
  const file = env['LIMPET_CA'] || undefined;
  try {
    const named = file ?? localFile;
    return named === undefined ? undefined : readFileSync(named, 'utf8');
  } catch (error) {
    if (file === undefined) return undefined;
    throw new LimpetError('invalid-argument', `LIMPET_CA: ${messageOf(error)}`);
  }
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
      `API address '${text}' is not valid; expected http://host:port or https://host:port`,
    );
  return url.href.replace(/\/+$/, '');
}
