/** What a config that was read again says differently, and which of it may change while the program runs. */

export interface SettingsDiff<Config> {
  /** The old one, with what may change taken from the new one. */
  readonly next: Config;
  /** Paths of what has changed and counts from now on; and of what counts from the next start on. */
  readonly changed: readonly string[];
  readonly later: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/** `live` are paths of fields, such as `labels` or `http.tls`. */
export function diffSettings<Config extends object>(
  before: Config,
  after: Config,
  live: readonly string[],
): SettingsDiff<Config> {
  const paths = changedPaths(fieldsOf(before), fieldsOf(after), '');
  const isLive = (path: string): boolean =>
    live.some((one) => path === one || path.startsWith(`${one}.`));
  const merged = live.reduce<Fields>(
    (at, path) => put(at, path.split('.'), valueAt(after, path)),
    fieldsOf(before),
  );
  return {
    next: Object.assign({ ...before }, merged),
    changed: paths.filter(isLive),
    later: paths.filter((path) => !isLive(path)),
  };
}

/** Lists are compared whole. */
function changedPaths(before: Fields, after: Fields, path: string): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name) => {
    const at = path === '' ? name : `${path}.${name}`;
    const [a, b] = [before[name], after[name]];
    if (JSON.stringify(a) === JSON.stringify(b)) return [];
    return isRecord(a) && isRecord(b) ? changedPaths(a, b, at) : [at];
  });
}

function put(at: Fields, [name = '', ...rest]: readonly string[], value: unknown): Fields {
  if (rest.length === 0) return { ...at, [name]: value };
  const below = at[name];
  return { ...at, [name]: put(isRecord(below) ? below : {}, rest, value) };
}

function valueAt(config: object, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((at, name) => (isRecord(at) ? at[name] : undefined), fieldsOf(config));
}

function fieldsOf(config: object): Fields {
  return Object.fromEntries(Object.entries(config));
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
