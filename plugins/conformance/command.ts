/** The plugin's program as it is started: from the root folder, as the agent does, so that nothing depends on where. */
import { existsSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';

/** Relative files among the words become absolute; a plain name of a program is left to PATH. */
export function absoluteCommand(words: readonly string[], folder: string): readonly string[] {
  return words.map((word, index) => {
    if (isAbsolute(word) || (index === 0 && !word.includes('/'))) return word;
    const path = resolve(folder, word);
    return existsSync(path) && statSync(path).isFile() ? path : word;
  });
}

const ALWAYS_PASSED = ['PATH', 'HOME', 'LANG', 'TZ'];

/** The same few variables that the agent passes, and what the file names. */
export function passedEnvironment(
  own: Readonly<NodeJS.ProcessEnv>,
  passEnv: readonly string[],
  env: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const passed: Record<string, string> = {};
  for (const name of [...ALWAYS_PASSED, ...passEnv]) {
    const value = own[name];
    if (value !== undefined) passed[name] = value;
  }
  return { ...passed, ...env };
}
