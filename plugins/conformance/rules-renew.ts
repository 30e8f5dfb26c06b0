/**
 * The rules of Renew, for those that claim it.
 *
 *   recovery/renew          a lease that ends, with the plugin alive          the run ends by itself then, not before
 *   recovery/renew-longer   a lease that is renewed before its end            the run outlives the first end
 *   recovery/renew-unknown  leases of a live run and of one that never was    OK, or NOT_FOUND; the live one is renewed
 *   recovery/renew-held     a lease, then kill -9 (held)                      the run ends in time with no plugin alive
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { demand, demandEqual, phaseText, statusOf } from './expect.ts';
import { ended, recover, status } from './steps.ts';
import { Violation, type Bench, type Rule, type Spec } from './types.ts';
import { withoutPlugin } from './without-plugin.ts';
import { ticking } from './work.ts';

const LEASE_MS = 2000;
/** A holder may look once a second; machines are slow. */
const LATE_MS = 5000;
const EARLY_MS = 250;
const GONE_MS = 8000;
/** From Renew to the end. */
const END_MS = 2 * LEASE_MS + LATE_MS;

async function renewed({ plugin }: Bench, { key }: Spec, ms: number): Promise<number> {
  const untilMs = Date.now() + ms;
  await plugin.calls.renew({ leases: [{ key, untilMs: BigInt(untilMs) }] });
  return untilMs;
}

function demandEndAt(finishedAtMs: bigint, wantedMs: number): void {
  const late = Number(finishedAtMs) - wantedMs;
  demand(
    late >= -EARLY_MS && late <= LATE_MS,
    `an end within ${LATE_MS / 1000} s after its lease`,
    late < 0 ? `one ${-late} ms before` : `one ${late} ms after`,
  );
}

const ends: Rule = {
  id: 'recovery/renew',
  title: 'A run whose lease is over ends by itself',
  needs: ['renew', 'long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const untilMs = await renewed(bench, run, LEASE_MS);
    demandEqual('phase before', phaseText(await status(bench.plugin, run)), 'running');
    demandEndAt((await ended(bench.plugin, run, END_MS)).finishedAtMs, untilMs);
  },
};

const longer: Rule = {
  id: 'recovery/renew-longer',
  title: 'Renew puts the end of a lease off',
  needs: ['renew', 'long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    await renewed(bench, run, LEASE_MS);
    const untilMs = await renewed(bench, run, 2 * LEASE_MS);
    demandEndAt((await ended(bench.plugin, run, END_MS)).finishedAtMs, untilMs);
  },
};

const unknown: Rule = {
  id: 'recovery/renew-unknown',
  title: 'Renew passes over a run that never was, and renews the others',
  needs: ['renew', 'long'],
  async check(bench) {
    const { calls } = bench.plugin;
    const { key } = await ticking(bench, 'long');
    const never = { executionId: `e-${randomUUID()}`, run: 0 };
    const untilMs = Date.now() + LEASE_MS;
    const leases = [never, key].map((one) => ({ key: one, untilMs: BigInt(untilMs) }));
    await calls.renew({ leases }).catch((thrown: unknown) => {
      throw new Violation('Renew to answer OK', statusOf(thrown));
    });
    demandEndAt((await ended(bench.plugin, { key }, END_MS)).finishedAtMs, untilMs);
  },
};

const held: Rule = {
  id: 'recovery/renew-held',
  title: 'A held run whose lease is over ends with no plugin alive',
  needs: ['renew', 'held', 'long'],
  async check(bench) {
    const run = await ticking(bench, 'long');
    const untilMs = await renewed(bench, run, LEASE_MS);
    await bench.plugin.kill9();
    await delay(Math.max(0, untilMs - Date.now()));
    await withoutPlugin(bench, GONE_MS);
    const next = await bench.spawn();
    await recover(next, run);
    demandEndAt((await ended(next, run, LATE_MS)).finishedAtMs, untilMs);
  },
};

export const renewRules: readonly Rule[] = [ends, longer, unknown, held];
