/** Users and groups by their files; Node has no getpwnam. */

/** `text`: of /etc/passwd or /etc/group; undefined when the name is not in it. */
export function idIn(text: string | undefined, name: string): number | undefined {
  const line = text?.split('\n').find((one) => one.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2]);
  return line === undefined || !Number.isInteger(id) ? undefined : id;
}
