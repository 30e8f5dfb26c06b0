/** Names of groups to their numbers. Node has no getgrnam: /etc/group first, then whatever else the host asks (getent). */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The group that an installation makes for the operators of a host. */
const DEFAULT_GROUP = 'limpet';
const ASK_MS = 2_000;

export type SocketGroup =
  | { readonly gid: number }
  /** The socket stays its user's own. `problem`: though the config wants it otherwise. */
  | { readonly gid: undefined; readonly problem: string | undefined };

const OWN: SocketGroup = { gid: undefined, problem: undefined };

/** `wanted` is `socketGroup` of the config: absent for the default group where there is one, '' for none. */
export function socketGroup(wanted: string | undefined, groupFile = '/etc/group'): SocketGroup {
  if (wanted === '') return OWN;
  const gid = gidOf(wanted ?? DEFAULT_GROUP, { groupFile, everywhere: wanted !== undefined });
  const mayGive = gid !== undefined && ownGroups().includes(gid);
  if (wanted === undefined) return mayGive ? { gid } : OWN;
  if (gid === undefined)
    return { gid, problem: closed(wanted, `there is no group '${wanted}' on this host`) };
  if (!mayGive && process.getuid?.() !== 0)
    return { gid: undefined, problem: closed(wanted, 'the user of the agent is not in it') };
  return { gid };
}

export function closed(group: string, reason: string): string {
  return `the agent's socket is open to its own user alone, not to group '${group}': ${reason} (socketGroup)`;
}

function gidOf(
  name: string,
  { groupFile, everywhere }: { readonly groupFile: string; readonly everywhere: boolean },
): number | undefined {
  if (/^\d{1,9}$/.test(name)) return Number(name);
  const line = readFileSync(groupFile, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  return gidIn(line ?? '') ?? (everywhere ? gidIn(asked(name)) : undefined);
}

/** `name:password:gid:members` */
function gidIn(line: string): number | undefined {
  const gid = /^[^:]+:[^:]*:(\d{1,9}):/.exec(line)?.[1];
  return gid === undefined ? undefined : Number(gid);
}

function asked(name: string): string {
  try {
    const args = ['group', '--', name];
    return execFileSync('getent', args, { encoding: 'utf8', timeout: ASK_MS, stdio: 'pipe' });
  } catch {
    return '';
  }
}

function ownGroups(): readonly number[] {
  return [...(process.getgroups?.() ?? []), process.getgid?.() ?? -1];
}
