/** What the broker does not allow on the present connection, one sentence each. */
import type { Status } from 'nats';
import type { Logger } from '../log/port.ts';

const MOST = 8;

export class Denials {
  readonly #log: Logger;
  readonly #told = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  get all(): readonly string[] {
    return [...this.#told.values()];
  }

  note({ operation, subject }: NonNullable<Status['permissionContext']>): void {
    // The last token names one stream; all of them are one finding.
    const which = subject.replace(/(\.Stream\/v1)\..*/, '$1.*');
    const key = `${operation} ${which}`;
    if (this.#told.has(key) || this.#told.size >= MOST) return;
    const verb = operation === 'publish' ? 'publish on' : 'subscribe to';
    this.#told.set(
      key,
      `the broker does not allow this program to ${verb} ${which}: correct the permissions of its user`,
    );
    this.#log.error('transport.permission-denied', {
      code: 'permission-denied',
      operation,
      subject: which,
    });
  }

  clear(): void {
    this.#told.clear();
  }
}
