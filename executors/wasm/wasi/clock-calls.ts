/** Clocks, and `poll_oneoff`, which is how a guest sleeps. */
import { ERRNO, WasiError } from './errno.ts';
import type { Descriptors } from './descriptors.ts';
import type { GuestMemory } from './memory.ts';

const CLOCK = { realtime: 0, monotonic: 1, processCpu: 2, threadCpu: 3 } as const;
const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const MAX_SUBSCRIPTIONS = 1024;
const ABSOLUTE = 1;

export interface ClockWorld {
  readonly memory: GuestMemory;
  readonly descriptors: Descriptors;
  /** Blocks the guest, and may be cut short only by the end of the run. */
  readonly sleep: (ms: number) => void;
}

interface Subscription {
  readonly userdata: bigint;
  readonly tag: number;
  readonly errno: number;
  /** Relative, in ns, not negative; undefined for files, which are always ready. */
  readonly waitNs: bigint | undefined;
}

export function clockCalls({ memory, descriptors, sleep }: ClockWorld) {
  return {
    clock_res_get: (id: number, out: number) => {
      now(id);
      memory.setU64(out, id === CLOCK.monotonic ? 1n : 1_000n);
    },
    clock_time_get: (id: number, _precision: bigint, out: number) => memory.setU64(out, now(id)),
    poll_oneoff: (subscriptions: number, events: number, count: number, out: number) => {
      if (count <= 0 || count > MAX_SUBSCRIPTIONS) throw new WasiError(ERRNO.inval);
      const wanted = Array.from({ length: count }, (_, index) =>
        readSubscription(memory, descriptors, (subscriptions >>> 0) + index * SUBSCRIPTION_BYTES),
      );
      memory.bytes(events, count * EVENT_BYTES).fill(0);
      memory.setU32(out, 0);
      const ready = readyAfterSleep(wanted, sleep);
      for (const [index, event] of ready.entries())
        writeEvent(memory, (events >>> 0) + index * EVENT_BYTES, event);
      memory.setU32(out, ready.length);
    },
  };
}

function now(id: number): bigint {
  if (id === CLOCK.realtime)
    return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
  if (id === CLOCK.monotonic) return process.hrtime.bigint();
  if (id !== CLOCK.processCpu && id !== CLOCK.threadCpu) throw new WasiError(ERRNO.inval);
  const { user, system } = process.cpuUsage();
  return BigInt(user + system) * 1000n;
}

/** Everything that is ready after sleeping for the shortest clock, or at once when a file is asked about. */
function readyAfterSleep(
  wanted: readonly Subscription[],
  sleep: (ms: number) => void,
): readonly Subscription[] {
  const files = wanted.filter((one) => one.waitNs === undefined);
  if (files.length > 0) return files;
  const shortest = wanted.reduce(
    (least, one) => ((one.waitNs ?? 0n) < least ? (one.waitNs ?? 0n) : least),
    wanted[0]?.waitNs ?? 0n,
  );
  if (shortest > 0n) sleep(Number(shortest) / 1e6);
  return wanted.filter((one) => (one.waitNs ?? 0n) <= shortest);
}

function readSubscription(memory: GuestMemory, descriptors: Descriptors, at: number): Subscription {
  const userdata = memory.getU64(at);
  const tag = memory.getU8(at + 8);
  if (tag !== 0)
    return {
      userdata,
      tag,
      errno: fileErrno(descriptors, memory.getU32(at + 16)),
      waitNs: undefined,
    };
  const timeout = memory.getU64(at + 24);
  const absolute = (memory.getU16(at + 40) & ABSOLUTE) !== 0;
  const left = absolute ? timeout - now(memory.getU32(at + 16)) : timeout;
  return { userdata, tag, errno: ERRNO.success, waitNs: left > 0n ? left : 0n };
}

function fileErrno(descriptors: Descriptors, fd: number): number {
  try {
    descriptors.get(fd);
    return ERRNO.success;
  } catch (thrown) {
    if (thrown instanceof WasiError) return thrown.errno;
    throw thrown;
  }
}

function writeEvent(memory: GuestMemory, at: number, event: Subscription): void {
  memory.setU64(at, event.userdata);
  memory.setU16(at + 8, event.errno);
  memory.setU8(at + 10, event.tag);
}
