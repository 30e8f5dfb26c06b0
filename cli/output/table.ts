/** Tables for people: no borders, columns two blanks apart. */
import Table from 'cli-table3';
import { shortId } from '../../core/ids.ts';

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

/** The rows under their headings, without a line end after the last. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const table = new Table({
    head: head.map((title) => title.toUpperCase()),
    chars: NO_BORDERS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
  for (const row of rows) table.push(row.map((cell) => shortenIds(oneLine(String(cell)))));
  return trimLines(table.toString());
}

/** `Name   value` lines; pairs without a value are left out. */
export function formatPairs(
  pairs: readonly (readonly [string, string | number | undefined])[],
): string {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...shown.map(([name]) => name.length)) + 2;
  return shown.map(([name, value]) => `${name.padEnd(width)}${oneLine(String(value))}`).join('\n');
}

/** Nothing that others wrote may move the cursor or break the line. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, ' ')
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '\u00b7');
}

const FULL_ID = /\b[jen]-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g;

/** Ids inside a message, as people see them elsewhere. */
export function shortenIds(text: string): string {
  return text.replaceAll(FULL_ID, (id) => shortId(id));
}

function trimLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
