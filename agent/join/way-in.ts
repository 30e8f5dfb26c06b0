/** How this node shows the broker who it is, out of the config: exactly one way. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import type { AgentConfig } from '../config.ts';

export type WayIn =
  /** Its own key; a token lets it join. */
  | { readonly type: 'key'; readonly keyFile: string; readonly tokenFile: string | undefined }
  /** Ready-made, of another operator. */
  | { readonly type: 'creds'; readonly file: string }
  | { readonly type: 'password'; readonly user: string; readonly password: string }
  | { readonly type: 'none' };

/** Names that the unit gives them in $CREDENTIALS_DIRECTORY. */
const KEY = 'nkey';
const TOKEN = 'join-token';

/** Errors: `invalid-config`, when the config names two. */
export function wayIn(
  { keyFile, joinTokenFile, credsFile, user, password = '' }: AgentConfig['nats'],
  credentialsDirectory: string | undefined,
): WayIn {
  const named = [
    ...(keyFile === undefined ? [] : ['nats.keyFile']),
    ...(credsFile === undefined ? [] : ['nats.credsFile']),
    ...(user === undefined ? [] : ['nats.user']),
  ];
  if (named.length > 1)
    throw new LimpetError(
      'invalid-config',
      `config: ${named.join(' and ')} exclude each other: a node has one way to show who it is`,
    );
  if (credsFile !== undefined) return { type: 'creds', file: credsFile };
  if (user !== undefined) return { type: 'password', user, password };
  const key = keyFile ?? given(credentialsDirectory, KEY);
  if (key === undefined) return { type: 'none' };
  const tokenFile = joinTokenFile ?? given(credentialsDirectory, TOKEN);
  return { type: 'key', keyFile: key, tokenFile };
}

function given(folder: string | undefined, name: string): string | undefined {
  if (folder === undefined) return undefined;
  const file = join(folder, name);
  return existsSync(file) ? file : undefined;
}
