/** What a plugin does not claim, it has to refuse in the one way that a host understands. */
import { demandStatus } from './expect.ts';
import type { Calls, Rule } from './types.ts';

const KEY = { executionId: 'e-00000000-0000-7000-8000-000000000000', run: 0 };

async function* opening() {
  const open = { key: KEY, argv: ['true'], env: {} };
  yield { message: { case: 'open' as const, value: open } };
}

async function firstOf(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream) return;
}

const ASKED: Readonly<Record<'renew' | 'stats' | 'exec', (calls: Calls) => Promise<unknown>>> = {
  renew: (calls) => calls.renew({ leases: [{ key: KEY, untilMs: BigInt(Date.now() + 60_000) }] }),
  stats: (calls) => firstOf(calls.stats({ key: KEY, intervalMs: 100 }, { deadlineMs: 10_000 })),
  exec: (calls) => firstOf(calls.exec(opening(), { deadlineMs: 10_000 })),
};

export const unclaimed: Rule = {
  id: 'handshake/unclaimed',
  title: 'Renew, Stats and Exec answer UNIMPLEMENTED where they are not claimed',
  shares: true,
  async check({ plugin, capabilities }) {
    for (const name of ['renew', 'stats', 'exec'] as const)
      if (!capabilities[name])
        await demandStatus(`${name}, not claimed,`, 'UNIMPLEMENTED', ASKED[name](plugin.calls));
  },
};
