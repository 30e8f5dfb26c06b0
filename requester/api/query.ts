/** Query parameters, read the way Bacalhau's clients write them. */
import { LimpetError } from '../../core/errors.ts';

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False', '']);

export function flag(text: string | undefined, name: string): boolean {
  if (text === undefined || FALSE.has(text)) return false;
  if (TRUE.has(text)) return true;
  throw new LimpetError('invalid-argument', `${name} is '${text}'; expected true or false`);
}

export function count(text: string | undefined, name: string): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new LimpetError('invalid-argument', `${name} is '${text}'; expected a whole number`);
}

/** Opaque to clients: where the next page begins. */
export function pageToken(offset: number): string {
  return Buffer.from(`o:${offset}`).toString('base64url');
}

export function pageOffset(token: string | undefined): number {
  if (token === undefined || token === '') return 0;
  const offset = /^o:(\d{1,15})$/.exec(Buffer.from(token, 'base64url').toString())?.[1];
  if (offset === undefined)
    throw new LimpetError('invalid-argument', `next_token '${token}' is not one of ours`);
  return Number(offset);
}
