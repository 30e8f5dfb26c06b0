/** The broker's program, which is the distribution's. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import type { Host } from './host.ts';
import type { InstallRecord } from './record.ts';

/** Where systemd looks for it. */
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'];
const OF_THE_PACKAGE = 'nats-server.service';

/** Errors: `unavailable` when there is none, `conflict` when the package's own service has the port. */
export function findNatsServer(
  host: Host,
  env: Readonly<NodeJS.ProcessEnv>,
  record: InstallRecord | undefined,
): void {
  const folders = [...FOLDERS, ...(env['PATH'] ?? '').split(delimiter).filter(Boolean)];
  if (host.isThisMachine && !folders.some((folder) => isExecutable(join(folder, 'nats-server'))))
    throw new LimpetError(
      'unavailable',
      'there is no nats-server here: apt-get install nats-server, or leave out --nats',
    );
  const taken = host.systemctl?.state(OF_THE_PACKAGE).active === true;
  if (taken && record?.services.includes('nats') !== true)
    throw new LimpetError(
      'conflict',
      `${OF_THE_PACKAGE} of the package runs, and has the port: systemctl disable --now nats-server, or leave out --nats`,
    );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
