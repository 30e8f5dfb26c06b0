/** Facts of a plugin's program on disk: whether it may be run, its hash, and whether that is the one it must have. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LimpetError } from '../../core/errors.ts';
import { canonicalJson } from '../../core/canonical-json.ts';
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
    if (spec.source === 'folder') await refuseStrangers(spec.name, path);
    if (path !== process.execPath) await pipeline(createReadStream(path), hash, { end: false });
  }
  return hash.digest('hex');
}

/** The same, and it is the one that the spec asks for. To be called before every spawn. */
export async function checkPinned(spec: PluginSpec): Promise<string> {
  const sha256 = await checkProgram(spec);
  const problem = pinProblem(spec, sha256);
  if (problem === '') return sha256;
  throw new LimpetError('plugin-failed', problem);
}

/** A message where it is plain of whom it speaks. */
export function ofItself(name: string, message: string): string {
  const said = `plugin ${name} `;
  if (message.startsWith(said)) return `it ${message.slice(said.length)}`;
  const about = `plugin ${name}: `;
  return message.startsWith(about) ? message.slice(about.length) : message;
}

/** What is wrong with a program of this hash; '' when nothing is. */
export function pinProblem({ name, sha256: pin }: PluginSpec, sha256: string): string {
  if (pin === undefined || pin === sha256) return '';
  return `plugin ${name}: its program has sha256 ${sha256}, and is pinned to ${pin}; put the right program there, or change the pin`;
}

/**
 * What a process was started by, but for its program's content. A built-in one is part of the release: another folder or
 * flag of it is nothing new.
 */
export function orderOf({ source, command, config, passEnv }: PluginSpec): string {
  const text = canonicalJson({ command: source === 'built-in' ? [] : command, config, passEnv });
  return createHash('sha256').update(text).digest('hex');
}

/** Errors: `plugin-failed`: somebody but root and this user owns the file, or a folder on the way to it. */
export async function refuseStrangers(name: string, path: string): Promise<void> {
  const own = new Set([0, process.getuid?.() ?? 0]);
  for (const at of await wayTo(path)) {
    const { uid } = await stat(at);
    if (own.has(uid)) continue;
    throw new LimpetError(
      'plugin-failed',
      `plugin ${name}: ${at} belongs to user ${uid}; expected root${own.size > 1 ? ` or user ${process.getuid?.()}` : ''} (chown)`,
    );
  }
}

/** Errors: `plugin-failed`: everybody may write it, or put another file in its place. */
export async function refuseWritable(name: string, path: string, mode: number): Promise<void> {
  const culprit = (mode & OTHERS_WRITE) === 0 ? await openFolder(path) : path;
  if (culprit === undefined) return;
  throw new LimpetError(
    'plugin-failed',
    `plugin ${name}: everybody may write ${culprit}; take that right away (chmod o-w)`,
  );
}

/** Of the folders on the way to the file, one in which anybody can put another. */
async function openFolder(path: string): Promise<string | undefined> {
  for (const at of (await wayTo(path)).slice(1)) {
    const { mode } = await stat(at);
    if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) return at;
  }
  return undefined;
}

/** The file and the folders on the way to it, by its name and where links lead to. */
async function wayTo(path: string): Promise<readonly string[]> {
  const way = new Set([path]);
  for (const start of [path, await realpath(path)])
    for (let at = dirname(start); ; at = dirname(at)) {
      way.add(at);
      if (at === dirname(at)) break;
    }
  return [...way];
}
