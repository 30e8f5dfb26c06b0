/**
 * The folder of plugins: an executable file `NAME` or `NAME.ext` is a plugin, `NAME.json` beside it says more of it. What
 * must not be started is refused with the reason, one by one.
 */
import { readdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../adapters/clock/port.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { EXPECTED_NAME, isPluginName } from './names.ts';
import type { PluginSpec } from './port.ts';
import { refuseStrangers, refuseWritable } from './program.ts';

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');

const besideSchema = z.strictObject({
  args: z.array(z.string()).default([]),
  config: z.record(z.string(), z.unknown()).default({}),
  passEnv: z.array(z.string()).default([]),
  sha256: sha256Schema.optional(),
});

/** A plugin that somebody asks for. */
export interface Offer {
  readonly spec: PluginSpec;
  /** Why it is not to be started; '' when it may be. */
  readonly refused: string;
}

/** Of a program that is being written nothing is said: it is there a moment later. */
export interface FolderLook {
  readonly offers: readonly Offer[];
  /** Names of those that have just changed: they stay what they were. */
  readonly unsettled: readonly string[];
}

const SETTLED_MS = 500;
const NO_PROGRAM = /^\.|~$|\.(new|tmp|json)$/;
const EXECUTABLE = 0o111;

/** Names of what looks like a program, for the first moment. */
export function namesIn(folder: string): readonly string[] {
  try {
    const names = readdirSync(folder).filter((file) => isProgram(file));
    return [...new Set(names.map(nameOf))].filter(isPluginName);
  } catch {
    return [];
  }
}

export class PluginFolder {
  readonly #clock: Clock;
  /** Of each path: what was seen there, and since when. */
  readonly #seen = new Map<string, { readonly stamp: string; readonly since: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Errors: `unavailable`, when the folder cannot be read. One that is not there is empty. */
  async look(folder: string): Promise<FolderLook> {
    const files = list(folder);
    const offers: Offer[] = [];
    const unsettled: string[] = [];
    for (const file of files.filter((one) => isProgram(one))) {
      const path = join(folder, file);
      const name = nameOf(file);
      if (await this.#isSettled([path, join(folder, `${name}.json`)]))
        offers.push(await offerOf(path, name, files));
      else unsettled.push(name);
    }
    return { offers, unsettled };
  }

  /** Nothing of it has changed for half a second. */
  async #isSettled(paths: readonly string[]): Promise<boolean> {
    const settled = await Promise.all(paths.map((path) => this.#isOld(path)));
    return settled.every(Boolean);
  }

  async #isOld(path: string): Promise<boolean> {
    const found = await stat(path).catch(() => undefined);
    const stamp =
      found === undefined ? '' : [found.ino, found.size, found.mtimeMs, found.ctimeMs].join(' ');
    const now = this.#clock.uptime();
    const known = this.#seen.get(path);
    if (known?.stamp === stamp) return now - known.since >= SETTLED_MS;
    // Seen for the first time, its last change may be long ago.
    const isLongAgo = known === undefined && this.#clock.now() - (found?.ctimeMs ?? 0) > SETTLED_MS;
    this.#seen.set(path, { stamp, since: isLongAgo ? now - SETTLED_MS : now });
    return isLongAgo || stamp === '';
  }
}

async function offerOf(path: string, name: string, files: readonly string[]): Promise<Offer> {
  const bare: PluginSpec = { name, source: 'folder', command: [path], config: {}, passEnv: [] };
  try {
    if (!isPluginName(name))
      throw refusal(`${path}: '${name}' is no name of a plugin; expected ${EXPECTED_NAME}`);
    const twins = files.filter((file) => isProgram(file) && nameOf(file) === name);
    if (twins.length > 1)
      throw refusal(`there are ${twins.join(' and ')}, all named ${name}; leave one`);
    const odd = files.find((file) => isMisnamed(file, name));
    if (odd !== undefined)
      throw refusal(`${join(path, '..', odd)} is not read; name it ${name}.json, or move it away`);
    await checkFile(name, path);
    const { mode } = await stat(path);
    if ((mode & EXECUTABLE) === 0) throw refusal(`${path} is not executable (chmod +x)`);
    const { args, ...rest } = await readBeside(name, path);
    const configAt = { file: besideOf(name, path), path: ['config'] };
    return { spec: { ...bare, ...rest, configAt, command: [path, ...args] }, refused: '' };
  } catch (thrown) {
    return { spec: bare, refused: messageOf(thrown) };
  }
}

function isProgram(file: string): boolean {
  return !NO_PROGRAM.test(file);
}

/** Meant for this plugin, a pin maybe, and under a name that is not looked at: `NAME.ext.json`. */
function isMisnamed(file: string, name: string): boolean {
  return file.endsWith('.json') && file !== `${name}.json` && nameOf(file) === name;
}

function besideOf(name: string, path: string): string {
  return join(path, '..', `${name}.json`);
}

async function readBeside(name: string, path: string): Promise<z.infer<typeof besideSchema>> {
  const file = besideOf(name, path);
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return '{}';
    throw refusal(`${file} cannot be read: ${messageOf(thrown)}`);
  });
  if (text !== '{}') await checkFile(name, file);
  const parsed = besideSchema.safeParse(parseJson(file, text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const keys = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const at = [...(issue?.path ?? []), ...keys].join('.');
  const what =
    keys.length > 0 ? 'unknown key; expected args, config, passEnv or sha256' : issue?.message;
  throw refusal(`${file}: ${at === '' ? 'top level' : at}: ${what ?? 'not valid'}`);
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw refusal(`${file}: not JSON: ${messageOf(thrown)}`);
  }
}

/** Nobody but root and this user may have a hand in it. */
async function checkFile(name: string, path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw refusal(`${path} leads to nothing that is there; remove the link`);
  if (!found.isFile())
    throw refusal(`${path} is no file; only programs belong into this folder, so move it away`);
  await refuseWritable(name, path, found.mode);
  await refuseStrangers(name, path);
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw new LimpetError(
      'unavailable',
      `the folder of plugins ${folder} cannot be read: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}

/** What stands before the first dot. */
function nameOf(file: string): string {
  return file.split('.')[0] ?? '';
}

function refusal(message: string): LimpetError {
  return new LimpetError('refused', message);
}
