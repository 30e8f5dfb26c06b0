/** The checks for which the broker is asked, once for all of them. */
import {
  askBroker,
  brokerFinding,
  isLoopback,
  permissionFinding,
  type BrokerSeen,
  type BrokerSubject,
} from './broker.ts';
import { skipped, type Check, type Finding } from './check.ts';

const DEADLINE_MS = 15_000;

/** Nobody is called so. */
export const NOBODY = 'n-00000000-0000-7000-8000-00000000d0c7';

export interface BrokerLook {
  readonly name: string;
  find(this: void, seen: BrokerSeen): Finding;
}

/** Broker, permissions, and `more`. `unknown`: why nothing can be said of the permissions. */
export function brokerChecks(
  subject: BrokerSubject,
  {
    more = [],
    unknown,
  }: { readonly more?: readonly BrokerLook[]; readonly unknown?: string | undefined } = {},
): readonly Check[] {
  const asked = askBroker(subject);
  // Each check waits for it and tells what it threw.
  asked.catch(() => undefined);
  const local = isLoopback(subject.options.servers);
  const looks: readonly BrokerLook[] = [
    { name: 'broker', find: (seen) => brokerFinding(seen, local) },
    {
      name: 'broker permissions',
      find: (seen) => (unknown === undefined ? permissionFinding(seen, subject) : skipped(unknown)),
    },
    ...more,
  ];
  return looks.map(({ name, find }) => ({
    name,
    deadlineMs: DEADLINE_MS,
    look: async () => find(await asked),
  }));
}
