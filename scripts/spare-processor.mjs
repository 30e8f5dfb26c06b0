/** Whether the processors of this machine have time left, whoever else uses them. */
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 3_000;
/** Of all processors together. */
const LEAST_IDLE = 0.3;

/** Resolves when they were idle for a part of the last seconds, or when the signal fires. */
export async function spareProcessor(signal) {
  for (let before = times(); !signal.aborted; before = times()) {
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    const after = times();
    const idle = after.idle - before.idle;
    if (idle / Math.max(1, after.all - before.all) > LEAST_IDLE) return;
  }
}

function times() {
  const sums = { idle: 0, all: 0 };
  for (const { times } of cpus()) {
    sums.idle += times.idle;
    for (const ms of Object.values(times)) sums.all += ms;
  }
  return sums;
}
