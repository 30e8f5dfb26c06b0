/** The structural keys of a job, by level. What is `data` is free: its keys keep their case and are never unknown. */
import { nearestWord } from './edit-distance.ts';
import { LimpetError } from './errors.ts';
import { invalid, pathText } from './job-spec-error.ts';
import type { Path } from './job-spec-error.ts';

/** `text`: "" is the same as missing, as programs in Go send it. `optional`: without any key it is missing. */
type Shape =
  | 'text'
  | 'data'
  | { readonly list: Shape }
  | { readonly keys: Readonly<Record<string, Shape>>; readonly optional?: true };

const CONFIG = { Type: 'text', Params: 'data' } as const;

export const TASK_SHAPE: Shape = {
  keys: {
    Name: 'text',
    Engine: { keys: CONFIG },
    Publisher: { keys: CONFIG, optional: true },
    Env: 'data',
    Meta: 'data',
    InputSources: {
      list: { keys: { Source: { keys: CONFIG }, Alias: 'text', Target: 'text' } },
    },
    ResultPaths: { list: { keys: { Name: 'text', Path: 'text' } } },
    Resources: {
      keys: { CPU: 'text', Memory: 'text', Disk: 'text', GPU: 'text' },
      optional: true,
    },
    Network: {
      keys: {
        Type: 'text',
        Domains: 'data',
        Ports: {
          list: { keys: { Name: 'text', Static: 'data', Target: 'data', HostNetwork: 'text' } },
        },
      },
      optional: true,
    },
    Timeouts: {
      keys: { ExecutionTimeout: 'data', QueueTimeout: 'data', TotalTimeout: 'data' },
      optional: true,
    },
  },
};

export const JOB_SHAPE: Shape = {
  keys: {
    Name: 'text',
    Namespace: 'text',
    Type: 'text',
    Priority: 'data',
    Count: 'data',
    Constraints: { list: { keys: { Key: 'text', Operator: 'text', Values: 'data' } } },
    Meta: 'data',
    Labels: 'data',
    RestartPolicy: {
      keys: { Attempts: 'data', Delay: 'data', MaxDelay: 'data', ResetAfter: 'data' },
      optional: true,
    },
    Disconnect: { keys: { StopAfter: 'data' }, optional: true },
    Tasks: { list: TASK_SHAPE },
  },
};

/** Told of a key that no level knows, or that is there twice; it throws or takes note. */
export type OnOddKey = (message: string) => void;

/** A copy with every structural key spelled as in the shape; null, "" and unknown keys are left out. */
export function spellKeys(value: unknown, shape: Shape, path: Path, odd: OnOddKey): unknown {
  if (value === null || (shape === 'text' && value === '')) return undefined;
  if (typeof shape === 'string') return value;
  if ('list' in shape) {
    if (!Array.isArray(value)) return value;
    return value.map((item: unknown, i) => spellKeys(item, shape.list, [...path, i], odd) ?? null);
  }
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  const spelled = spellMapping(value, shape.keys, path, odd);
  return shape.optional === true && Object.keys(spelled).length === 0 ? undefined : spelled;
}

function spellMapping(
  mapping: object,
  keys: Readonly<Record<string, Shape>>,
  path: Path,
  odd: OnOddKey,
): Record<string, unknown> {
  const names = new Map(Object.keys(keys).map((name) => [name.toLowerCase(), name]));
  const spelled: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(mapping)) {
    const name = names.get(key.toLowerCase());
    const shape = name === undefined ? undefined : keys[name];
    if (name === undefined || shape === undefined) {
      odd(unknownKey([...path, key], key, Object.keys(keys)));
      continue;
    }
    if (Object.hasOwn(spelled, name)) odd(`${pathText([...path, key])} is there twice; keep one`);
    const value = spellKeys(member, shape, [...path, name], odd);
    if (value !== undefined) spelled[name] = value;
  }
  return spelled;
}

function unknownKey(path: Path, key: string, known: readonly string[]): string {
  const near = nearestWord(key, known);
  const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`;
  return `unknown key ${pathText(path)}; ${hint}`;
}

/** The top level as a plain mapping; lists and scalars are refused. */
export function asMapping(data: unknown): Readonly<Record<string, unknown>> {
  if (data === null || typeof data !== 'object' || Array.isArray(data))
    throw invalid([], data ?? undefined, 'a mapping with Name, Type and Tasks');
  return Object.fromEntries(Object.entries(data));
}

export function refuse(message: string): never {
  throw new LimpetError('invalid-job', message);
}
