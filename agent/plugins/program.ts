/** Facts of a plugin's program on disk: whether it may be run, and its hash. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LimpetError } from '../../core/errors.ts';
import type { PluginSpec } from './port.ts';

const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

/**
 * sha256 over the program's own files: those of its command that are absolute paths of files, except for the Node that
 * runs this agent. Errors: `plugin-failed` when the program is missing or everybody may write it.
 */
export async function checkProgram(spec: PluginSpec): Promise<string> {
  const [program] = spec.command;
  if (program === undefined || !isAbsolute(program))
    throw new LimpetError(
      'invalid-config',
      `plugin ${spec.name} has the command '${spec.command.join(' ')}'; expected an absolute path`,
    );
  const hash = createHash('sha256');
  for (const path of spec.command.filter(isAbsolute)) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined && path === program)
      throw new LimpetError('plugin-failed', `plugin ${spec.name}: there is no program ${path}`);
    if (found?.isFile() !== true) continue;
    await refuseWritable(spec.name, path, found.mode);
    if (path !== process.execPath) await pipeline(createReadStream(path), hash, { end: false });
  }
  return hash.digest('hex');
}

async function refuseWritable(name: string, path: string, mode: number): Promise<void> {
  const culprit = (mode & OTHERS_WRITE) === 0 ? await openFolder(path) : path;
  if (culprit === undefined) return;
  throw new LimpetError(
    'plugin-failed',
    `plugin ${name}: everybody may write ${culprit}; take that right away (chmod o-w)`,
  );
}

/** Of the folders on the way to the file, by its name and where links lead to, one in which anybody can put another. */
async function openFolder(path: string): Promise<string | undefined> {
  for (const start of new Set([path, await realpath(path)]))
    for (let at = dirname(start); ; at = dirname(at)) {
      const { mode } = await stat(at);
      if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) return at;
      if (at === dirname(at)) break;
    }
  return undefined;
}
