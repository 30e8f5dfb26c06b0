/**
 * Orders that a program carries out on the folder of a service are given as the service's user: what root would write
 * there, the service could not read any more.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { idIn } from './etc-ids.ts';
import { LAYOUT } from './install/layout.ts';

/** What stands before the command; nothing for who is not root, or when the folder is root's. */
export function asOwnerOf(folder: string): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const owner = statSync(folder, { throwIfNoEntry: false });
  return owner === undefined
    ? []
    : setpriv(owner, idIn(readFileSync('/etc/group', 'utf8'), 'docker'));
}

/** With the groups of the unit. */
export function setpriv(
  { uid, gid }: { readonly uid: number; readonly gid: number },
  docker: number | undefined,
): readonly string[] {
  if (uid === 0) return [];
  const groups = [gid, ...(docker === undefined ? [] : [docker])].join(',');
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups}`];
}

/** The configuration of the service, for its own folder. */
export function installedConfig(folder: string): string | undefined {
  return folder === LAYOUT.agentData && existsSync(LAYOUT.agentConfig)
    ? LAYOUT.agentConfig
    : undefined;
}
