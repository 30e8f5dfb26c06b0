/** The executor's section of the agent's config, and the engine params of a wasm task. */
import { z } from 'zod';

const MIB = 2 ** 20;

export const wasmConfig = z.strictObject({
  warm: z
    .int()
    .min(0)
    .max(32)
    .default(2)
    .describe('warm runners kept ready; each takes about 15 MiB'),
  idleMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(60_000)
    .describe('ms after which an idle runner without a plugin ends itself'),
  runsPerRunner: z
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe(
      'runs that one runner process serves one after the other, each in a fresh instance, after clean ends only; 1 is a process for each run',
    ),
  memoryBytes: z
    .int()
    .min(65_536)
    .max(4096 * MIB)
    .default(256 * MIB)
    .describe('memory cap in bytes of a run that names none'),
  maxMemoryBytes: z
    .int()
    .min(65_536)
    .max(4096 * MIB)
    .default(4096 * MIB)
    .describe('highest memory cap in bytes that a run may ask for'),
  maxModuleBytes: z
    .int()
    .min(8)
    .max(1024 * MIB)
    .default(64 * MIB)
    .describe('largest module in bytes'),
  maxOutputBytes: z
    .int()
    .min(4096)
    .max(64 * 1024 * MIB)
    .default(1024 * MIB)
    .describe('bytes of output that nobody has read yet at which a run is ended'),
  maxDiskBytes: z
    .int()
    .min(0)
    .max(1024 * 1024 * MIB)
    .default(4096 * MIB)
    .describe('bytes that a run without a disk limit may add to its writable mounts'),
  maxFiles: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(10_000)
    .describe('files and folders that a run may make in its writable mounts'),
});

export type WasmConfig = z.infer<typeof wasmConfig>;

const ASSIGNMENT = /^[^=\0]+=[^\0]*$/;

export const wasmParams = z.strictObject({
  EntryModule: z
    .string()
    .min(1)
    .describe('path of the module inside the execution: the Target of an input source'),
  Entrypoint: z.string().min(1).default('_start').describe('exported function to run'),
  Parameters: z
    .array(z.string())
    .default([])
    .describe('arguments of the program, without its name'),
  EnvironmentVariables: z
    .array(z.string().regex(ASSIGNMENT, 'expected NAME=value'))
    .default([])
    .describe('NAME=value pairs; they win over Env of the task'),
  ImportModules: z.array(z.unknown()).default([]).describe('must be empty: not supported yet'),
  Stdin: z
    .string()
    .min(1)
    .optional()
    .describe('path of an input file that the program reads as its standard input'),
  Function: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Extism form: exported function to call; its output goes to stdout; wins over Entrypoint',
    ),
  Input: z.string().optional().describe('Extism form: input of the function'),
  Config: z
    .record(z.string(), z.string())
    .default({})
    .describe('Extism form: config values of the plugin'),
});

export type WasmParams = z.infer<typeof wasmParams>;
