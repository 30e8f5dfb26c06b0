/** Lines of a plugin's log for people: those of go-hclog's JSON as `time level message k=v`, others as they are. */
import { z } from 'zod';

const lineSchema = z
  .object({ '@level': z.string(), '@message': z.string(), '@timestamp': z.string() })
  .catchall(z.unknown());

export function hclogLine(line: string): string {
  const entry = entryOf(line);
  if (entry === undefined) return line;
  const { '@level': level, '@message': message, '@timestamp': at, '@caller': _, ...fields } = entry;
  const { '@module': module, ...more } = fields;
  const from = typeof module === 'string' && module !== '' ? [`${module}:`] : [];
  const pairs = Object.entries(more).map(([key, value]) => `${key}=${shown(value)}`);
  return [timeOf(at), level.padEnd(5), ...from, message, ...pairs].join(' ');
}

function entryOf(line: string): z.infer<typeof lineSchema> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return lineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** In UTC, with ms; what is no time as it is. */
function timeOf(text: string): string {
  const at = Date.parse(text);
  return Number.isNaN(at) ? text : new Date(at).toISOString().slice(0, 23).replace('T', ' ');
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}
