/** The user that commands run as. */
import { readFile } from 'node:fs/promises';
import { LimpetError } from '../../plugins/sdk/index.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Errors: `invalid-config` for an unknown user, or when this process may not become another one. */
export async function findAccount(name: string, file = '/etc/passwd'): Promise<Identity> {
  const lines = (await readFile(file, 'utf8')).split('\n').map((line) => line.split(':'));
  const [, , uid, gid] = lines.find(([user]) => user === name) ?? [];
  if (uid === undefined || gid === undefined)
    throw new LimpetError('invalid-config', `user: there is no user '${name}' on this node`);
  if (process.getuid?.() !== 0)
    throw new LimpetError('invalid-config', `user: only root can run commands as '${name}'`);
  return { uid: Number(uid), gid: Number(gid) };
}
