import type { ApiCall } from './route-table.ts';

/** Who asks, as it is stored with what they decide. */
export function actorOf(c: ApiCall): string {
  const { role, name } = c.get('caller');
  return name === undefined ? role : `${role} ${name}`;
}
