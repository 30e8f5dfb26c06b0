/**
 * Samples for a plugin whose params take a command or a script, so that its author has to write none: `Command` (an array
 * of strings) or `Script` (a string), by sh. Everything in them is in POSIX and in busybox.
 */
import type { Params, Samples } from './types.ts';

const TICKS = 'i=0; while [ $i -lt 3000 ]; do echo "tick $i"; i=$((i+1)); sleep 0.2; done';

const SCRIPTS = {
  short: 'echo out; echo err >&2',
  fails: 'exit 7',
  long: TICKS,
  stubborn: `trap '' TERM; ${TICKS}`,
  flood: `i=0; ${lines(5000, '%05d', 53)}`,
  huge: `i=0; ${lines(100_000, '%05d', 53)}; ${lines(200_000, '%d', 52)}`,
  env: 'printf "%s\\n" "$CONFORMANCE"',
} as const;

/** Up to this line number, each of 60 bytes. */
function lines(end: number, form: string, letters: number): string {
  const text = `${form} ${'x'.repeat(letters)}\\n`;
  return `while [ $i -lt ${end} ]; do printf '${text}' $i; i=$((i+1)); done`;
}

/** undefined: the schema has neither. */
export function samplesFromSchema(schemaJson: string): Samples | undefined {
  const taken = propertiesOf(schemaJson);
  if (isTextList(taken['Command']))
    return made((script) => ({ Command: ['sh', '-c', script] }), { Command: 7 });
  if (isText(taken['Script'])) return made((script) => ({ Script: script }), { Script: 7 });
  return undefined;
}

function made(paramsOf: (script: string) => Params, invalid: Params): Samples {
  const of = (name: keyof typeof SCRIPTS) => paramsOf(SCRIPTS[name]);
  return {
    ...{ short: of('short'), fails: of('fails'), long: of('long'), stubborn: of('stubborn') },
    ...{ flood: of('flood'), huge: of('huge'), env: of('env'), invalid },
  };
}

function propertiesOf(schemaJson: string): Readonly<Record<string, unknown>> {
  try {
    const schema: unknown = JSON.parse(schemaJson);
    return isObject(schema) && isObject(schema['properties']) ? schema['properties'] : {};
  } catch {
    return {};
  }
}

function isTextList(schema: unknown): boolean {
  return isObject(schema) && schema['type'] === 'array' && isText(schema['items']);
}

function isText(schema: unknown): boolean {
  return isObject(schema) && schema['type'] === 'string';
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
