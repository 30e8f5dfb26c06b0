/** The host of an order, when it may be carried out there. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { Host } from './host.ts';

export interface HostOrder {
  readonly root?: string;
  readonly systemctl?: string;
  readonly dryRun?: boolean;
  /** False: services are not started. */
  readonly start?: boolean;
}

export interface ThisMachine {
  readonly isRoot: boolean;
  /** Run by systemd. */
  readonly isBooted: boolean;
}

/** There when systemd runs this machine (sd_booted(3)). */
const BOOTED = '/run/systemd/system';

/** Errors: `permission-denied` when this is not root, `unavailable` without systemd. */
export function openHost(order: HostOrder): Host {
  const root = resolve(order.root ?? '/');
  if (root !== '/') return new Host({ root, systemctl: order.systemctl });
  const isBooted = existsSync(BOOTED);
  checkMachine(order, { isRoot: process.getuid?.() === 0, isBooted });
  return new Host({ root, systemctl: isBooted ? (order.systemctl ?? 'systemctl') : undefined });
}

/** The same, of a machine that is known. */
export function checkMachine(order: HostOrder, { isRoot, isBooted }: ThisMachine): void {
  if (order.dryRun === true) return;
  if (!isRoot)
    throw new LimpetError(
      'permission-denied',
      'this needs root: run it with sudo, or see with --dry-run what it would do',
    );
  if (!isBooted && order.start !== false)
    throw new LimpetError(
      'unavailable',
      'systemd does not run this machine, so nothing can be started here; --no-start installs without it',
    );
}
