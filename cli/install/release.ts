/** A release on disk: what it says of itself, and whether its files are the ones that it was made of. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { PREFIX } from './layout.ts';

const DESCRIPTION = 'release.json';
const BUILD_DIGITS = 12;
/** Of no release: made by the Node of the host. */
const MADE_HERE = [DESCRIPTION, 'dist/agent.cache'];

const releaseSchema = z.object({
  v: z.literal(1),
  name: z.literal('limpet'),
  version: z.string().regex(/^\d+\.\d+\.\d+[0-9A-Za-z.-]*$/),
  arch: z.string(),
  libc: z.string(),
  node: z.string(),
  stores: z.object({ agent: z.int(), requester: z.int() }),
  build: z.string().regex(/^[0-9a-f]{12}$/),
});
export type Release = z.infer<typeof releaseSchema>;

/** Errors: `invalid-argument`. */
export function readRelease(folder: string): Release {
  const file = join(folder, DESCRIPTION);
  if (!existsSync(file))
    throw new LimpetError(
      'invalid-argument',
      `${folder} is no release of limpet: it has no ${DESCRIPTION}; \`npm run release\` makes one`,
    );
  try {
    return releaseSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (thrown) {
    const reason = thrown instanceof z.ZodError ? z.prettifyError(thrown) : messageOf(thrown);
    throw new LimpetError(
      'invalid-argument',
      `${file} is not understood: ${reason.replaceAll(/\s+/g, ' ')}; take a newer limpet for it, or a whole release`,
      { cause: thrown },
    );
  }
}

/** Errors: `invalid-argument` when a file is missing, more, or other than when it was made. */
export function checkFiles(folder: string, release: Release): void {
  const found = buildOf(folder);
  if (found !== release.build)
    throw new LimpetError(
      'invalid-argument',
      `${folder} is damaged: its files make build ${found}, ${DESCRIPTION} says ${release.build}; unpack it anew`,
    );
}

/** What `scripts/release/pack.mjs` makes of the same files. */
export function buildOf(folder: string): string {
  const hash = createHash('sha256');
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => !MADE_HERE.includes(path) && statSync(join(folder, path)).isFile())
    .sort();
  for (const path of paths) {
    const bytes = readFileSync(join(folder, path));
    const runnable = (statSync(join(folder, path)).mode & 0o100) !== 0;
    hash.update(`${path}\0${runnable ? 'x' : '-'}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex').slice(0, BUILD_DIGITS);
}

/** `0.1.0-2e8baa6a0291` */
export function versionName({ version, build }: Release): string {
  return `${version}-${build}`;
}

export function versionFolder(release: Release): string {
  return `${PREFIX}/versions/${versionName(release)}`;
}

/** The release that this command is part of. Errors: `unavailable`. */
export function ownRelease(): string {
  const folder = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  if (existsSync(join(folder, DESCRIPTION))) return folder;
  throw new LimpetError(
    'unavailable',
    'this limpet is no release: `npm run release` makes one; unpack it and run its bin/limpet',
  );
}
