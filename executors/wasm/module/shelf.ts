/** Compiled modules of this process by their file, whose name tells the content: the last few small ones are kept. */
import fs from 'node:fs';

const MOST_MODULES = 8;
const MOST_BYTES = 4 * 2 ** 20;

export class ModuleShelf {
  readonly #kept = new Map<string, WebAssembly.Module>();

  /** Throws CompileError, and the host's error when there is no such file. */
  get(file: string): WebAssembly.Module {
    const known = this.#kept.get(file);
    if (known !== undefined) return known;
    const bytes = fs.readFileSync(file);
    const module = new WebAssembly.Module(bytes);
    if (bytes.byteLength <= MOST_BYTES / MOST_MODULES) this.#keep(file, module);
    return module;
  }

  #keep(file: string, module: WebAssembly.Module): void {
    this.#kept.set(file, module);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_MODULES && oldest !== undefined) this.#kept.delete(oldest);
  }
}
