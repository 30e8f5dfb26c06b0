/**
 * How far a reader of a job's log has got: for each execution the next byte that it wants. As text it is the id of a
 * server-sent event, `Last-Event-ID`, and `?after=`. An execution that it does not name is read from its beginning.
 */
import { z } from 'zod';
import { LimpetError } from '../core/errors.ts';

export type LogPosition = ReadonlyMap<string, number>;

const PREFIX = 'v1:';
/** Each event carries it. */
const MOST_EXECUTIONS = 1024;
const pairs = z.array(z.tuple([z.string(), z.number().int().nonnegative()])).max(MOST_EXECUTIONS);

export function formatLogPosition(position: LogPosition): string {
  const newest = [...position].slice(-MOST_EXECUTIONS);
  return PREFIX + Buffer.from(JSON.stringify(newest)).toString('base64url');
}

/** Errors: `invalid-argument`. */
export function parseLogPosition(text: string): LogPosition {
  if (!text.startsWith(PREFIX)) throw bad(text);
  try {
    const json = Buffer.from(text.slice(PREFIX.length), 'base64url').toString();
    return new Map(pairs.parse(JSON.parse(json)));
  } catch {
    throw bad(text);
  }
}

function bad(text: string): LimpetError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return new LimpetError(
    'invalid-argument',
    `after is '${shown}'; expected the id of an event of this log, as it was received`,
  );
}
