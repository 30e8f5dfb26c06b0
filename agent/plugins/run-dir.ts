/**
 * The folder of one plugin process, `<run dir>/<8 hex of the instance>`, 0700:
 *
 *   instance   the whole instance id, for the sweep
 *   out        stdout of the process: the handshake, then stray prints
 *   ...        the plugin's socket and temporary files (TMPDIR)
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import { MAX_SOCKET_PATH_BYTES } from '../../plugins/proto/handshake.ts';

const NAME = /^[0-9a-f]{8}$/;
/** `/`, the folder, `/`, and the longest name that a plugin library gives its socket. */
const LONGEST_SOCKET = 1 + 8 + 1 + 24;

/** Unix socket paths are short by nature. Errors: `invalid-config`. */
export function checkRunDir(runDir: string): void {
  const bound = MAX_SOCKET_PATH_BYTES - LONGEST_SOCKET;
  const length = Buffer.byteLength(runDir);
  if (!runDir.startsWith('/') || length > bound)
    throw new LimpetError(
      'invalid-config',
      `the run folder '${runDir}' is ${length} bytes long; expected an absolute path of at most ${bound} bytes, ` +
        `because unix socket paths must be short`,
    );
}

export function processDir(runDir: string, instance: string): string {
  return join(runDir, instance.slice(0, 8));
}

export function outFile(folder: string): string {
  return join(folder, 'out');
}

export async function makeProcessDir(folder: string, instance: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, 'instance'), instance, { mode: 0o600 });
}

/** Only folders that are ours by place and name are ever deleted. */
export async function removeProcessDir(runDir: string, folder: string): Promise<void> {
  if (dirname(folder) !== runDir || !NAME.test(basename(folder))) return;
  await rm(folder, { recursive: true, force: true });
}

export interface FoundDir {
  readonly folder: string;
  /** '' when the process was never spawned. */
  readonly instance: string;
}

export async function listProcessDirs(runDir: string): Promise<readonly FoundDir[]> {
  const names = await readdir(runDir).catch(() => []);
  const folders = names.filter((name) => NAME.test(name)).map((name) => join(runDir, name));
  return Promise.all(
    folders.map(async (folder) => ({
      folder,
      instance: await readFile(join(folder, 'instance'), 'utf8').catch(() => ''),
    })),
  );
}
