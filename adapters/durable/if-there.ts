/** Files that may be missing. */
import { readFileSync, statSync } from 'node:fs';

/** undefined when there is no such file. */
export function readIfThere(file: string): string | undefined {
  // Often it is not, and an error costs ten times as much as this.
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    return ignore('ENOENT', undefined)(thrown);
  }
}

/** A catch handler that turns one errno code into a value and throws everything else on. */
export function ignore<T>(code: string, value: T): (thrown: unknown) => T {
  return (thrown) => {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === code) return value;
    throw thrown;
  };
}
