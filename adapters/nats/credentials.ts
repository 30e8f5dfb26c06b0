/** Credentials out of a config. */
import type { Credentials } from './port.ts';

export function passwordOf({
  user,
  password = '',
}: {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}): Credentials | undefined {
  return user === undefined ? undefined : { type: 'password', user, password };
}
