/**
 * Runs one guest in the foreground with Extism and our own WASI, and tells how it ended. Each guest has an instance, a
 * memory, a tree and streams of its own; what it held is closed when it is left.
 */
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import v8 from 'node:v8';
import createPlugin from '@extism/extism';
import type { Outcome } from '../../plugins/sdk/index.ts';
import type { Ending } from './ending.ts';
import { EXTISM_MODULE } from './module/imports.ts';
import { PAGE_BYTES } from './module/pages.ts';
import type { ModuleShelf } from './module/shelf.ts';
import { Output } from './output.ts';
import type { Assignment, GuestCall } from './protocol.ts';
import type { Verdict } from './verdict.ts';
import { WASI_MODULE } from './wasi/calls.ts';
import { createWasi, type HostCall } from './wasi/preview1.ts';
import { buildTree, closeTree, openFile } from './wasi/tree.ts';

export type End = (outcome: Outcome) => never;

type ExtismOptions = NonNullable<Parameters<typeof createPlugin>[1]>;
type ExtismFunctions = NonNullable<ExtismOptions['functions']>;

/** Extism's way of reporting an error that the plugin set. */
const ORIGINATED = 'Plugin-originated error: ';

/** The second bound on memory holds for the whole process, and Node has a little wasm of its own (undici). */
const LEAST_BELT_PAGES = 1024;

const OUT_OF_MEMORY: Outcome = { by: 'limit', reason: 'memory' };

export interface Guest {
  readonly options: ExtismOptions;
  readonly output: Output;
  /** Set as soon as there is an instance. */
  memory: WebAssembly.Memory | undefined;
  initialBytes: number;
  /** Of a guest that is gone. */
  close(): void;
}

/** Bytes of the guest's memory, when it has ended cleanly; else the thread stays here. */
export async function runGuest(
  assignment: Assignment,
  ending: Ending,
  modules: ModuleShelf,
): Promise<number> {
  const guest = setUp(assignment, ending);
  try {
    const module = modules.get(assignment.modulePath);
    const result = await call(module, assignment.call, guest);
    if (!ending.isSettled) {
      if (result !== undefined) guest.output.stdout([result]);
      ending.settle({ by: 'exit', code: 0, reason: '' });
    }
  } catch (thrown) {
    if (!ending.isSettled) ending.settle(failureOf(thrown, guest, assignment));
  }
  guest.close();
  return guest.memory?.buffer.byteLength ?? 0;
}

function setUp(assignment: Assignment, ending: Ending): Guest {
  try {
    return prepare(assignment, ending.gate, ending.end);
  } catch (thrown) {
    return ending.end({ by: 'refused', reason: `cannot be set up: ${messageOf(thrown)}` });
  }
}

function failureOf(thrown: unknown, guest: Guest, { memoryPages }: Assignment): Outcome {
  const outcome = outcomeOf(thrown, guest);
  const isFull = hitCap(guest, memoryPages * PAGE_BYTES) && outcome.by !== 'refused';
  return isFull ? { ...outcome, ...OUT_OF_MEMORY } : outcome;
}

export function prepare(assignment: Assignment, verdict: Verdict, end: End): Guest {
  const belt = Math.max(assignment.memoryPages, LEAST_BELT_PAGES);
  v8.setFlagsFromString(`--wasm-max-mem-pages=${belt}`);
  const root = buildTree(assignment.mounts);
  const output = new Output(assignment.folder, assignment.maxOutputBytes, () =>
    end({ by: 'limit', reason: 'output' }),
  );
  const guest: Guest = {
    ...{ options: { useWasi: false }, output, memory: undefined, initialBytes: 0 },
    close: () => {
      wasi.close();
      output.close();
      closeTree(root);
    },
  };
  const capBytes = assignment.memoryPages * PAGE_BYTES;
  const wasi = createWasi({
    args: assignment.args,
    env: assignment.env,
    root,
    stdin: assignment.stdin === undefined ? undefined : openFile(root, assignment.stdin),
    stdout: output.stdout,
    stderr: output.stderr,
    maxDiskBytes: assignment.maxDiskBytes,
    maxFiles: assignment.maxFiles,
    gate: verdict,
    guestMemory: () => guest.memory,
    exit: (code) => end(exitOf(code, guest, capBytes)),
  });
  Object.assign(guest.options, {
    config: { ...assignment.call.config },
    logger: loggerTo(output),
    functions: functionsOf(wasi.calls, capBytes, end),
  } satisfies ExtismOptions);
  return guest;
}

function exitOf(code: number, guest: Guest, capBytes: number): Outcome {
  const isFull = code !== 0 && hitCap(guest, capBytes);
  return isFull ? { ...OUT_OF_MEMORY, code } : { by: 'exit', code, reason: '' };
}

function functionsOf(
  wasi: Readonly<Record<string, HostCall>>,
  budgetBytes: number,
  end: End,
): ExtismFunctions {
  const withContext = Object.entries(wasi).map(([name, hostCall]) => {
    const call = (_context: unknown, ...args: readonly (number | bigint)[]) => hostCall(...args);
    return [name, call] as const;
  });
  let allocated = 0;
  return {
    [WASI_MODULE]: Object.fromEntries(withContext),
    [EXTISM_MODULE]: {
      // The kernel's blocks lie outside the guest's memory and would else be unbounded.
      alloc: (context, size: bigint) => {
        allocated += Number(size);
        return allocated > budgetBytes ? end(OUT_OF_MEMORY) : context.alloc(size);
      },
    },
    env: {
      abort: () => {
        throw new Error('abort was called');
      },
    },
  };
}

/** Answers the output of the Extism form. */
export async function call(
  module: WebAssembly.Module,
  entry: GuestCall,
  guest: Guest,
): Promise<Uint8Array | undefined> {
  const plugin = await createPlugin({ wasm: [{ module }] }, guest.options);
  const { exports } = await plugin.getInstance();
  if (exports['memory'] instanceof WebAssembly.Memory) guest.memory = exports['memory'];
  guest.initialBytes = guest.memory?.buffer.byteLength ?? 0;
  if (entry.function !== '_start' && exports['_initialize'] !== undefined)
    await plugin.call('_initialize');
  const result = await plugin.call(entry.function, entry.input);
  return entry.input === undefined ? undefined : result?.bytes();
}

function outcomeOf(thrown: unknown, guest: Guest): Outcome {
  const message = messageOf(thrown);
  if (thrown instanceof WebAssembly.LinkError || thrown instanceof WebAssembly.CompileError)
    return { by: 'refused', reason: message };
  if (thrown instanceof WebAssembly.RuntimeError) return { by: 'trap', reason: message };
  if (thrown instanceof RangeError && /memory/i.test(message)) return OUT_OF_MEMORY;
  if (thrown instanceof RangeError && message.includes('call stack'))
    return { by: 'trap', reason: 'call stack exhausted' };
  if (!message.startsWith(ORIGINATED)) return { by: 'trap', reason: message };
  const reported = message.slice(ORIGINATED.length);
  guest.output.stderr([Buffer.from(`${reported}\n`)]);
  return { by: 'exit', code: 1, reason: reported };
}

/**
 * Whether a failure is put down to the memory cap: V8 does not tell when it refuses to grow, so a guest that has grown to
 * within an eighth of its cap and then fails is taken to have failed for want of memory.
 */
function hitCap(guest: Guest, capBytes: number): boolean {
  const bytes = guest.memory?.buffer.byteLength ?? 0;
  return bytes > guest.initialBytes && bytes > capBytes - capBytes / 8;
}

function loggerTo(output: Output): Console {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      output.stderr([chunk]);
      done();
    },
  });
  return new Console({ stdout: stream, stderr: stream });
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
