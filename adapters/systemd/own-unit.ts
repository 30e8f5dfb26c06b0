/** Which unit this process belongs to, by its cgroup. */

export interface UnitRef {
  readonly name: string;
  /** Of a user's own manager (`systemctl --user`). */
  readonly user: boolean;
}

/**
 * `text` is /proc/self/cgroup: a line `0::PATH` with cgroup v2, one `N:name=systemd:PATH` with v1, both in a hybrid; in a
 * container one of the two may not show the unit. A service may have cgroups below its own (Delegate=yes). undefined: a
 * login session, a container without systemd, no systemd.
 */
export function ownUnit(text: string): UnitRef | undefined {
  for (const line of text.split('\n')) {
    const [, controllers, ...path] = line.split(':');
    if (controllers !== '' && controllers !== 'name=systemd') continue;
    const unit = serviceOf(path.join(':'));
    if (unit !== undefined) return unit;
  }
  return undefined;
}

function serviceOf(path: string): UnitRef | undefined {
  const parts = path.split('/');
  const at = parts.findLastIndex((part) => /\.(service|scope)$/.test(part));
  const name = parts[at];
  if (name?.endsWith('.service') !== true) return undefined;
  const user = parts.slice(0, at).some((part) => /^user@\d+\.service$/.test(part));
  return { name, user };
}
