/** Files that are whole or not there at all after any crash, power loss included. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Writes to a temporary name, fsyncs, renames, fsyncs the folder. */
export async function writeDurably(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  await syncFolder(dirname(file));
}

/** Makes the names inside a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes `root/a/b` below an existing `root`, each new name durable. */
export async function makeFolders(root: string, ...names: readonly string[]): Promise<string> {
  let folder = root;
  for (const name of names) {
    const parent = folder;
    folder = join(parent, name);
    const made = await mkdir(folder, { mode: 0o700 }).then(() => true, ignore('EEXIST', false));
    if (made) await syncFolder(parent);
  }
  return folder;
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** undefined when there is no such file. */
export async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(ignore('ENOENT', undefined));
}

/** A catch handler that turns one errno code into a value and throws everything else on. */
export function ignore<T>(code: string, value: T): (thrown: unknown) => T {
  return (thrown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === code) return value;
    throw thrown;
  };
}
