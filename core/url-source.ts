/** Params of the `urlDownload` source: Bacalhau's `URL`, and our `Checksum` and `MaxBytes`. Keys match without regard to case. */
import { LimpetError } from './errors.ts';
import { invalid, pathText, type Path } from './job-spec-error.ts';
import { parseBytes } from './resources.ts';

/** Its name once a job is parsed. */
export const URL_SOURCE = 'url';

export interface UrlSource {
  /** http or https, without user and password; what follows the path may be a secret: never log it. */
  readonly url: URL;
  /** Of the file, 64 hex digits. */
  readonly sha256?: string;
  readonly maxBytes?: number;
}

const NAMES: ReadonlyMap<string, string> = new Map(
  ['URL', 'Checksum', 'MaxBytes'].map((name) => [name.toLowerCase(), name]),
);
const MOST_CHARACTERS = 8 * 1024;
const CHECKSUM = /^sha256:([0-9a-f]{64})$/i;

/** Errors: `invalid-job`; `path` leads to the params. */
export function urlSource(
  params: Readonly<Record<string, unknown>> | null | undefined,
  path: Path,
): UrlSource {
  const given = new Map<string, unknown>();
  for (const [key, value] of Object.entries(params ?? {})) {
    const name = NAMES.get(key.toLowerCase());
    if (name === undefined || given.has(name))
      throw invalid([...path, key], value, `${[...NAMES.values()].join(', ')}, each once`);
    if (value !== null && value !== '') given.set(name, value);
  }
  const sha256 = checksumOf(given.get('Checksum'), [...path, 'Checksum']);
  const maxBytes = bytesOf(given.get('MaxBytes'), [...path, 'MaxBytes']);
  return {
    url: urlOf(given.get('URL'), [...path, 'URL']),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
}

/** The value is not shown: it may hold a password or a signature. */
function urlOf(value: unknown, path: Path): URL {
  if (typeof value !== 'string') throw invalid(path, value, 'a URL, http:// or https://');
  const text = value.trim();
  const url = text.length <= MOST_CHARACTERS && URL.canParse(text) ? new URL(text) : undefined;
  const at = pathText(path);
  if (url === undefined || !isWeb(url))
    throw new LimpetError(
      'invalid-job',
      `${at} is not a URL with http:// or https:// and a host, of ${MOST_CHARACTERS} characters at most`,
    );
  if (url.username !== '' || url.password !== '')
    throw new LimpetError(
      'invalid-job',
      `${at} holds a user or password, which would be kept and shown with the job; expected a URL without, such as a signed one that expires`,
    );
  return url;
}

export function isWeb({ protocol, hostname }: URL): boolean {
  return (protocol === 'http:' || protocol === 'https:') && hostname !== '';
}

function checksumOf(value: unknown, path: Path): string | undefined {
  if (value === undefined) return undefined;
  const hex = typeof value === 'string' ? CHECKSUM.exec(value.trim())?.[1] : undefined;
  if (hex === undefined) throw invalid(path, value, 'sha256: and 64 hex digits');
  return hex.toLowerCase();
}

function bytesOf(value: unknown, path: Path): number | undefined {
  if (value === undefined) return undefined;
  const expected = 'a size such as 512Mb or 1Gi, or a number of bytes';
  const bytes = typeof value === 'string' ? parsed(value) : value;
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 1)
    throw invalid(path, value, expected);
  return bytes;
}

function parsed(text: string): number | undefined {
  try {
    return parseBytes(text);
  } catch {
    return undefined;
  }
}
