/** What was asked for on the command line, laid into a configuration; every key that is not named stays as it is. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

const objectSchema = z.record(z.string(), z.unknown());

/**
 * The new text of the file: `defaults` count when there is no file yet, `asked` always. The same text when it says all that
 * already. Errors: `invalid-config`.
 */
export function mergeConfig(
  file: { readonly path: string; readonly text: string | undefined },
  defaults: JsonObject,
  asked: JsonObject,
): string {
  if (file.text === undefined) return textOf(merge(defaults, asked));
  const before = parse(file.path, file.text);
  const after = merge(before, asked);
  return isDeepStrictEqual(before, after) ? file.text : textOf(after);
}

function parse(path: string, text: string): JsonObject {
  try {
    return objectSchema.parse(JSON.parse(text));
  } catch (thrown) {
    const reason = thrown instanceof z.ZodError ? 'expected an object' : messageOf(thrown);
    throw new LimpetError('invalid-config', `config ${path}: not JSON: ${reason}; mend it first`, {
      cause: thrown,
    });
  }
}

function merge(before: JsonObject, asked: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(asked)) {
    const [old, section] = [objectSchema.safeParse(before[key]), objectSchema.safeParse(value)];
    if (value === undefined) continue;
    merged[key] = old.success && section.success ? merge(old.data, section.data) : value;
  }
  return merged;
}

function textOf(value: JsonObject): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
