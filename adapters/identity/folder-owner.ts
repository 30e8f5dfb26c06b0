/** Whose a data folder is. What root writes into the folder of a service, the service could not read any more. */
import { statSync } from 'node:fs';
import { LimpetError } from '../../core/errors.ts';

/** `file`: one that its program has made there. Errors: `permission-denied`, for root on what is another user's. */
export function checkOwner(file: string, service: string): void {
  if (process.getuid?.() !== 0) return;
  const owner = statSync(file, { throwIfNoEntry: false })?.uid ?? 0;
  if (owner === 0) return;
  throw new LimpetError(
    'permission-denied',
    `${file} is user ${owner}'s, and this is root: what root writes beside it, that user could not read; ` +
      `start it as that user (\`systemctl start ${service}\` when it is installed), or name another folder with --data`,
  );
}
