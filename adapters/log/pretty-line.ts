/** One line for people out of one JSON line of the log: `12:00:01 warn  plugin.lost name=docker reason="no answer"`. */
import { z } from 'zod';

const Line = z.looseObject({ time: z.number(), level: z.string(), event: z.string() });

export function prettyLine(json: string): string {
  const parsed = Line.safeParse(JSON.parse(json));
  if (!parsed.success) return json;
  const { time, level, event, ...fields } = parsed.data;
  const at = new Date(time).toTimeString().slice(0, 8);
  const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${show(value)}`);
  return `${at} ${level.padEnd(5)} ${event}${pairs.join('')}\n`;
}

function show(value: unknown): string {
  // Values may come from jobs: what a terminal would act on is shown escaped.
  if (typeof value === 'string' && /^[^\s"=\p{Cc}]+$/u.test(value)) return value;
  return JSON.stringify(value).replace(/\p{Cc}/gu, escaped);
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
