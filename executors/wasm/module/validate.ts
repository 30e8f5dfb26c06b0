/** Decides, before anything is started, whether a module can run, and bounds its memory. No code of it runs here. */
import { LimpetError, messageOf } from '../../../plugins/sdk/index.ts';
import { WASI_MODULE } from '../wasi/calls.ts';
import { SECTION, capMemory, readMemory, readSections } from './binary.ts';
import { unknownImports } from './imports.ts';
import { PAGE_BYTES } from './pages.ts';

function refused(message: string): LimpetError {
  return new LimpetError('refused', message);
}

/** Answers the bytes to run. Throws `refused` with the exact reason. */
export async function boundModule(
  bytes: Uint8Array,
  entry: string,
  capPages: number,
): Promise<Uint8Array> {
  const sections = readSections(bytes);
  if (sections.some((one) => one.id === SECTION.start))
    throw refused(
      'the module has a start section, which would run before the run is ready; export a function instead',
    );
  const section = sections.find((one) => one.id === SECTION.memory);
  const limits = readMemory(bytes, section);
  if (limits !== undefined && limits.minPages > capPages)
    throw refused(
      `the module asks for ${limits.minPages * PAGE_BYTES} bytes of memory at its start, ` +
        `its limit is ${capPages * PAGE_BYTES}; raise Resources.Memory or build it with less`,
    );
  const module = await compile(bytes);
  checkInterface(module, entry);
  if (section === undefined || limits === undefined) return bytes;
  return capMemory(bytes, section, limits, capPages);
}

async function compile(bytes: Uint8Array): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (thrown) {
    throw refused(
      `not a valid wasm module: ${messageOf(thrown).replace(/^WebAssembly\.compile\(\): /, '')}`,
    );
  }
}

function checkInterface(module: WebAssembly.Module, entry: string): void {
  const imports = WebAssembly.Module.imports(module);
  const unknown = unknownImports(imports);
  if (unknown.length > 0)
    throw refused(
      `the module imports what is not offered here: ${unknown.slice(0, 5).join(', ')}${unknown.length > 5 ? ', ...' : ''}`,
    );
  const exports = WebAssembly.Module.exports(module);
  if (!exports.some((one) => one.name === entry && one.kind === 'function')) {
    const offered = exports.filter((one) => one.kind === 'function').map((one) => one.name);
    throw refused(
      `the module exports no function '${entry}'; it exports ${offered.slice(0, 8).join(', ') || 'none'}`,
    );
  }
  const usesWasi = imports.some((one) => one.module === WASI_MODULE);
  if (usesWasi && !exports.some((one) => one.name === 'memory' && one.kind === 'memory'))
    throw refused("the module uses WASI but does not export its memory as 'memory'");
}
