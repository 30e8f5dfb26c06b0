/** `limpet wasm run FILE|TARGET [ARGS...]`: a file of this machine travels inside the job. */
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import type { Context } from '../context.ts';
import { quickCommand, runQuick } from '../jobs/quick-job.ts';
import type { QuickOptions, QuickTask } from '../jobs/quick-job.ts';

/** Base64 of it and the rest of the job stay below the 10 MiB of a request. */
const MAX_MODULE_BYTES = 7 * 1024 * 1024;
const MODULE_TARGET = 'main.wasm';

interface WasmOptions extends QuickOptions {
  readonly entrypoint?: string;
}

export function wasmRun(context: Context, done: (exitCode: number) => void): Command {
  return quickCommand('run a WebAssembly module as a job and show its output')
    .argument('<module>', 'a file of this machine, or the target of an --input')
    .argument('[args...]', 'arguments of the module')
    .option('--entrypoint <function>', 'the exported function to call', '_start')
    .action(async (module: string, args: string[], options: WasmOptions) => {
      done(await runQuick(context, await wasmTask(module, args, options), options));
    });
}

async function wasmTask(
  module: string,
  args: readonly string[],
  options: WasmOptions,
): Promise<QuickTask> {
  const isTarget = (options.input ?? []).some((input) => input.endsWith(`:${module}`));
  const params = {
    EntryModule: isTarget ? module : MODULE_TARGET,
    Entrypoint: options.entrypoint ?? '_start',
    ...(args.length === 0 ? {} : { Parameters: args }),
  };
  const engine = { Type: 'wasm', Params: params };
  if (isTarget) return { Engine: engine };
  const url = `data:application/wasm;base64,${(await readModule(module)).toString('base64')}`;
  const source = { Source: { Type: 'inline', Params: { URL: url } }, Target: MODULE_TARGET };
  return { Engine: engine, InputSources: [source] };
}

async function readModule(file: string): Promise<Buffer> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true)
    throw new LimpetError(
      'not-found',
      `there is no module ${file}, and no --input with this target`,
    );
  if (found.size > MAX_MODULE_BYTES)
    throw new LimpetError(
      'too-large',
      `${file} has ${found.size} bytes, at most ${MAX_MODULE_BYTES} travel inside a job; give it as --input`,
    );
  const bytes = await readFile(file);
  if (!bytes.subarray(0, 4).equals(Buffer.from('\0asm')))
    throw new LimpetError('invalid-argument', `${file} is not a WebAssembly module`);
  return bytes;
}
