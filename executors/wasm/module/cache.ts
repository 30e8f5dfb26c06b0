/**
 * Bounded modules by content: `<sha256 of the module>-<pages>-<sha256 of the entry, short>.wasm`. Node cannot store
 * compiled code, so these are validated bytes. The oldest go when there are too many; start makes missing ones again.
 */
import { createHash, randomBytes } from 'node:crypto';
import { utimesSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { boundModule } from './validate.ts';

const KEEP_FILES = 256;

export interface CachedModule {
  readonly path: string;
  /** `sha256:<hex>` of the module as given. */
  readonly digest: string;
}

export class ModuleCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Throws `refused` for a module that cannot run. */
  async put(bytes: Uint8Array, entry: string, capPages: number): Promise<CachedModule> {
    const hex = createHash('sha256').update(bytes).digest('hex');
    const cached = { path: this.#pathOf(hex, entry, capPages), digest: `sha256:${hex}` };
    if (touch(cached.path)) return cached;
    const bounded = await boundModule(bytes, entry, capPages);
    await fs.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const temporary = `${cached.path}.${randomBytes(4).toString('hex')}`;
    await fs.writeFile(temporary, bounded, { mode: 0o600 });
    await fs.rename(temporary, cached.path);
    await this.#evict();
    return cached;
  }

  /** The path of what `put` made of these; undefined when it has been evicted. */
  find(digest: string, entry: string, capPages: number): string | undefined {
    const file = this.#pathOf(digest.replace(/^sha256:/, ''), entry, capPages);
    return touch(file) ? file : undefined;
  }

  #pathOf(hex: string, entry: string, capPages: number): string {
    const short = createHash('sha256').update(entry).digest('hex').slice(0, 8);
    return path.join(this.#folder, `${path.basename(hex)}-${capPages}-${short}.wasm`);
  }

  async #evict(): Promise<void> {
    const files = await fs.readdir(this.#folder);
    if (files.length <= KEEP_FILES) return;
    const dated = await Promise.all(
      files.map(async (name) => {
        const file = path.join(this.#folder, name);
        const stats = await fs.stat(file).catch(() => undefined);
        return { file, usedAt: stats?.mtimeMs ?? 0 };
      }),
    );
    const oldest = dated.sort((a, b) => a.usedAt - b.usedAt).slice(0, files.length - KEEP_FILES);
    await Promise.all(oldest.map(({ file }) => fs.rm(file, { force: true })));
  }
}

/** Marks a file as used now; false when there is none. */
function touch(file: string): boolean {
  const now = new Date();
  try {
    utimesSync(file, now, now);
    return true;
  } catch {
    return false;
  }
}
