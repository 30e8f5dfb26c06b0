/**
 * Our own WASI preview 1. The stock one of Node crashes the process when a guest grows its memory, loses the exit code,
 * and lets a symlinked directory lead out of a mount.
 *
 * Every call passes the gate: once the run has its verdict nothing the guest does reaches the host any more.
 */
import { WASI_CALLS, type WasiCall, type WasiCallName, type WasiCalls } from './calls.ts';
import { clockCalls } from './clock-calls.ts';
import { Descriptors, type Streams } from './descriptors.ts';
import { ERRNO, errnoOf } from './errno.ts';
import { fdCalls } from './fd-calls.ts';
import { GuestMemory } from './memory.ts';
import { pathCalls } from './path-calls.ts';
import { processCalls } from './process-calls.ts';
import { Quota } from './quota.ts';
import { readdirCall } from './readdir.ts';
import type { TreeNode } from './tree.ts';

export interface Gate {
  enter(): void;
  leave(): void;
  /** Called outside the gate. */
  sleep(ms: number): void;
}

export interface WasiOptions extends Streams {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly root: TreeNode;
  readonly maxDiskBytes: number;
  readonly maxFiles: number;
  readonly exit: (code: number) => never;
  readonly gate: Gate;
  readonly guestMemory: () => WebAssembly.Memory | undefined;
}

/** One import as the engine calls it. */
export type HostCall = (...args: readonly (number | bigint)[]) => number;

export interface Wasi {
  readonly calls: Readonly<Record<WasiCallName, HostCall>>;
  /** Of a guest that is gone. */
  close(): void;
}

export function createWasi(options: WasiOptions): Wasi {
  const { gate } = options;
  const memory = new GuestMemory(options.guestMemory);
  const descriptors = new Descriptors(options, options.root);
  const files = { memory, descriptors, quota: new Quota(options.maxDiskBytes, options.maxFiles) };
  const sleep = (ms: number): void => {
    gate.leave();
    gate.sleep(ms);
    gate.enter();
  };
  const calls: WasiCalls<WasiCallName> = {
    ...processCalls({ memory, args: options.args, env: options.env, exit: options.exit }),
    ...clockCalls({ memory, descriptors, sleep }),
    ...fdCalls(files),
    ...readdirCall(files),
    ...pathCalls(files),
  };
  const guarded = WASI_CALLS.map((name): [WasiCallName, HostCall] => [
    name,
    guard(calls[name], gate),
  ]);
  return {
    calls: Object.fromEntries(guarded) as Record<WasiCallName, HostCall>,
    close: () => {
      descriptors.closeAll();
    },
  };
}

function guard(call: WasiCall, gate: Gate): HostCall {
  return (...args) => {
    gate.enter();
    try {
      return call(...(args as never[])) ?? ERRNO.success;
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === undefined) throw thrown;
      return errno;
    } finally {
      gate.leave();
    }
  };
}
