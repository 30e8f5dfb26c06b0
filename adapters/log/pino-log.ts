/** The log over pino: one JSON object per line on stderr, or one line for people. Written before the call returns. */
import { pino, type DestinationStream, type Logger as Pino } from 'pino';
import { LimpetError } from '../../core/errors.ts';
import type { Logger, LogFields } from './port.ts';
import { prettyLine } from './pretty-line.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly format: 'json' | 'pretty';
  readonly level?: LogLevel;
  /** File descriptor; stderr unless told. */
  readonly fd?: number;
}

/** LIMPET_LOG=pretty|json decides; else people at a terminal get the pretty form. */
export function logFormat(
  env: Readonly<NodeJS.ProcessEnv>,
  isTerminal: boolean,
): LogOptions['format'] {
  const wanted = env['LIMPET_LOG'];
  if (wanted === 'pretty' || wanted === 'json') return wanted;
  return isTerminal ? 'pretty' : 'json';
}

export function pinoLog({ format, level = 'info', fd = 2 }: LogOptions): Logger {
  const file = pino.destination({ fd, sync: true });
  // A reader of the log that went away must not end the program.
  file.on('error', () => undefined);
  const sink: DestinationStream =
    format === 'json' ? file : { write: (line) => void file.write(prettyLine(line)) };
  const options = {
    level,
    base: null,
    messageKey: 'event',
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return wrap(pino(options, sink));
}

function wrap(log: Pino): Logger {
  return {
    debug: (event, fields) => log.debug(plain(fields), event),
    info: (event, fields) => log.info(plain(fields), event),
    warn: (event, fields) => log.warn(plain(fields), event),
    error: (event, fields) => log.error(plain(fields), event),
    child: (fields) => wrap(log.child(plain(fields))),
  };
}

function plain(fields: LogFields = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, plainError(value)]),
  );
}

function plainError(value: unknown): unknown {
  if (value instanceof LimpetError) return `${value.code}: ${value.message}`;
  return value instanceof Error ? (value.stack ?? value.message) : value;
}
