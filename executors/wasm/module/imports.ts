/** What a module may import: WASI preview 1, the Extism kernel, and the `abort` that AssemblyScript asks for. */
import { WASI_CALLS, WASI_MODULE } from '../wasi/calls.ts';

export const EXTISM_MODULE = 'extism:host/env';

/** What version 1.0.3 of the kernel offers. */
const EXTISM_CALLS = [
  'alloc',
  'config_get',
  'error_set',
  'free',
  'http_request',
  'http_status_code',
  'input_length',
  'input_load_u64',
  'input_load_u8',
  'input_offset',
  'length',
  'length_unsafe',
  'load_u64',
  'load_u8',
  'log_debug',
  'log_error',
  'log_info',
  'log_warn',
  'output_set',
  'store_u64',
  'store_u8',
  'var_get',
  'var_set',
] as const;

const KNOWN: ReadonlySet<string> = new Set([
  ...WASI_CALLS.map((name) => `${WASI_MODULE}.${name}`),
  ...EXTISM_CALLS.map((name) => `${EXTISM_MODULE}.${name}`),
  'env.abort',
]);

/** `module.name` of every import that nothing here provides; memories, tables and globals are never provided. */
export function unknownImports(
  imports: readonly WebAssembly.ModuleImportDescriptor[],
): readonly string[] {
  return imports
    .filter((one) => one.kind !== 'function' || !KNOWN.has(`${one.module}.${one.name}`))
    .map((one) =>
      one.kind === 'function'
        ? `${one.module}.${one.name}`
        : `${one.module}.${one.name} (${one.kind})`,
    );
}
