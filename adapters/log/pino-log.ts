/** The log over pino: one JSON object per line on stderr, or one line for people. Written before the call returns. */
import { fstatSync } from 'node:fs';
import { pino, type DestinationStream, type Logger as Pino } from 'pino';
import { LimpetError } from '../../core/errors.ts';
import type { Logger, LogFields } from './port.ts';
import { prettyLine } from './pretty-line.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  /** `journal`: JSON behind the priority that the journal of systemd reads (`<4>`, sd-daemon(3)). */
  readonly format: 'json' | 'pretty' | 'journal';
  readonly level?: LogLevel;
  /** File descriptor; stderr unless told. */
  readonly fd?: number;
}

/** A log whose least level can change; its children follow. */
export interface LeveledLog extends Logger {
  setLevel(level: LogLevel): void;
}

const PRIORITY: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** Whatever a caller hands over under these names is not written. */
const SECRETS = ['password', 'seed', 'jwt', 'secret', 'authorization'];

/** LIMPET_LOG=pretty|json|journal decides; else people at a terminal get the pretty form, and the journal its own. */
export function logFormat(
  env: Readonly<NodeJS.ProcessEnv>,
  isTerminal: boolean,
  fd = 2,
): LogOptions['format'] {
  const wanted = env['LIMPET_LOG'];
  if (wanted === 'pretty' || wanted === 'json' || wanted === 'journal') return wanted;
  if (isTerminal) return 'pretty';
  return isJournal(env['JOURNAL_STREAM'], fd) ? 'journal' : 'json';
}

/** systemd.exec(5): device and inode of the journal's end, which a program that was started further down may not have. */
function isJournal(stream: string | undefined, fd: number): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

export function pinoLog({ format, level = 'info', fd = 2 }: LogOptions): LeveledLog {
  const file = pino.destination({ fd, sync: true });
  // A reader of the log that went away must not end the program.
  file.on('error', () => undefined);
  const form = { json: undefined, pretty: prettyLine, journal: journalLine }[format];
  const sink: DestinationStream =
    form === undefined ? file : { write: (line) => void file.write(form(line)) };
  const options = {
    level: 'debug',
    base: null,
    messageKey: 'event',
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const gate = { least: PRIORITY[level] };
  return {
    ...wrap(pino(options, sink), gate),
    setLevel: (next) => {
      gate.least = PRIORITY[next];
    },
  };
}

function journalLine(line: string): string {
  const name = /^\{"level":"(\w+)"/.exec(line)?.[1];
  const level = LOG_LEVELS.find((one) => one === name) ?? 'info';
  return `<${PRIORITY[level]}>${line}`;
}

function wrap(log: Pino, gate: { readonly least: number }): Logger {
  const at =
    (level: LogLevel) =>
    (event: string, fields?: LogFields): void => {
      if (PRIORITY[level] <= gate.least) log[level](plain(fields), event);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(log.child(plain(fields)), gate),
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
