/** The whole requester inside the test's process, for what a program does not tell: its table of routes. */
import { systemClock } from '../../../adapters/clock/system-clock.ts';
import { systemRandom } from '../../../adapters/clock/system-random.ts';
import { envFaults } from '../../../adapters/faults/env-faults.ts';
import { silentLog } from '../../../adapters/log/silent-log.ts';
import { compose, type Requester } from '../../../requester/compose.ts';
import { parseConfig } from '../../../requester/config.ts';
import type { Teardown } from '../teardown.ts';

export async function requesterInProcess(
  t: Teardown,
  folder: string,
  config: unknown,
): Promise<Requester> {
  const requester = await compose({
    config: parseConfig(config, 'the test'),
    folder,
    clock: systemClock(),
    random: systemRandom,
    faults: envFaults({}),
    log: silentLog,
  });
  t.teardown(() => requester[Symbol.asyncDispose]());
  return requester;
}
