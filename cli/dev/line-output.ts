/** The output of several programs in one terminal: whole lines, each with the name of its program. */
import type { Readable } from 'node:stream';
import type { Context } from '../context.ts';

const COLOURS: Readonly<Record<string, string>> = {
  dev: '\u001b[1m',
  broker: '\u001b[35m',
  requester: '\u001b[36m',
  agent: '\u001b[32m',
};
const RESET = '\u001b[0m';
const WIDTH = 'requester'.length;
const MAX_LINE = 16 * 1024;

export type Say = (line: string) => void;

export function speaker(context: Context, name: string): Say {
  const colour =
    context.stdout.isTTY === true && !context.env['NO_COLOR'] ? COLOURS[name] : undefined;
  const padded = name.padEnd(WIDTH);
  const prefix = colour === undefined ? padded : `${colour}${padded}${RESET}`;
  return (line) => {
    context.stdout.write(`${prefix} | ${line}\n`);
  };
}

/** Calls `onLine` for each line; an endless line is cut into pieces. */
export function readLines(stream: Readable, onLine: Say): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.trimEnd());
    if (rest.length > MAX_LINE) {
      onLine(rest);
      rest = '';
    }
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}
