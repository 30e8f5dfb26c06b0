/** Programs on this node: found before anything is launched, so that a missing one is refused in a sentence. */
import { access, constants, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { LimpetError } from '../../../core/errors.ts';

export async function findProgram(name: string, path: string): Promise<string | undefined> {
  const places = isAbsolute(name) ? [name] : path.split(':').map((folder) => join(folder, name));
  for (const place of places) if (await isProgram(place)) return place;
  return undefined;
}

/** Relative paths belong to the files of the run and are left to the start. Errors: `refused`. */
export async function requireProgram(name: string, path: string): Promise<void> {
  if (!isAbsolute(name) && name.includes('/')) return;
  if ((await findProgram(name, path)) !== undefined) return;
  throw new LimpetError(
    'refused',
    `command '${name}' is not a program on this node (PATH ${path})`,
  );
}

async function isProgram(file: string): Promise<boolean> {
  const executable = await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
  return executable && (await stat(file)).isFile();
}
