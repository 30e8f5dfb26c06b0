/** Logs as hclog's JSON lines on fd 2, which the host reads as structured records. */
import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import type { PluginLog } from './types.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** `module` names the plugin. Writing never throws: a host that is gone must not end the plugin. */
export function pluginLog(module: string, write: (line: string) => void = writeStderr): PluginLog {
  const at = (level: Level) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    write(formatRecord({ level, module, message, ...(fields === undefined ? {} : { fields }) }));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export interface LogRecord {
  readonly level: Level;
  readonly module: string;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly at?: Date;
}

/** hclog wants six digits after the second, and text in every `@` field: a number there panics a Go host. */
export function formatRecord({
  level,
  module,
  message,
  fields,
  at = new Date(),
}: LogRecord): string {
  const record = {
    ...fields,
    '@level': level,
    '@message': message,
    '@module': module,
    '@timestamp': at.toISOString().replace('Z', '000Z'),
  };
  return `${JSON.stringify(record, plain)}\n`;
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Error ? value.message : value;
}

function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // The host's end is gone or full; there is nobody to tell.
  }
}

/** After the handshake stdout belongs to nobody: what a library prints there becomes a log record. */
export function redirectConsole(log: PluginLog): void {
  const print =
    (level: Level) =>
    (...values: unknown[]) =>
      log[level](
        values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' '),
      );
  Object.assign(console, {
    log: print('info'),
    info: print('info'),
    debug: print('debug'),
    warn: print('warn'),
    error: print('error'),
  });
  process.stdout.write = (text: unknown) => {
    log.debug(String(text).trimEnd());
    return true;
  };
}
