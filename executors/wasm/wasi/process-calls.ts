/** Arguments, environment, exit, random numbers, and the calls that are refused. */
import { randomFillSync } from 'node:crypto';
import { ERRNO } from './errno.ts';
import type { GuestMemory } from './memory.ts';

export interface ProcessWorld {
  readonly memory: GuestMemory;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ends the run; never returns into the guest. */
  readonly exit: (code: number) => never;
}

export function processCalls({ memory, args, env, exit }: ProcessWorld) {
  const argList = args.map(terminated);
  const envList = Object.entries(env).map(([name, value]) => terminated(`${name}=${value}`));
  return {
    args_get: (list: number, text: number) => writeList(memory, argList, list, text),
    args_sizes_get: (count: number, size: number) => writeSizes(memory, argList, count, size),
    environ_get: (list: number, text: number) => writeList(memory, envList, list, text),
    environ_sizes_get: (count: number, size: number) => writeSizes(memory, envList, count, size),
    proc_exit: (code: number) => exit(code >>> 0),
    proc_raise: () => ERRNO.nosys,
    random_get: (at: number, length: number) => void randomFillSync(memory.bytes(at, length)),
    sched_yield: () => undefined,
    sock_accept: () => ERRNO.notsup,
    sock_recv: () => ERRNO.notsup,
    sock_send: () => ERRNO.notsup,
    sock_shutdown: () => ERRNO.notsup,
  };
}

function terminated(text: string): Uint8Array {
  return Buffer.from(`${text.replaceAll('\0', '')}\0`);
}

function writeSizes(
  memory: GuestMemory,
  list: readonly Uint8Array[],
  count: number,
  size: number,
): void {
  memory.setU32(count, list.length);
  memory.setU32(
    size,
    list.reduce((sum, item) => sum + item.byteLength, 0),
  );
}

function writeList(
  memory: GuestMemory,
  list: readonly Uint8Array[],
  pointers: number,
  text: number,
): void {
  let at = text >>> 0;
  for (const [index, item] of list.entries()) {
    memory.setU32((pointers >>> 0) + index * 4, at);
    memory.setBytes(at, item);
    at += item.byteLength;
  }
}
