/** One folder and one archive of it for an architecture; the same files make the same bytes, whoever packs them and when. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { create } from 'tar';

/** Of every file in the archive. */
const MTIME = new Date('2020-01-01T00:00:00Z');
const BUILD_DIGITS = 12;

/** `read(file)` of each of `files` into `folder`, with release.json. Answers what release.json says. */
export function layOut(folder, files, facts) {
  for (const { path, bytes, mode } of files) put(folder, path, bytes, mode);
  const release = { v: 1, ...facts, build: buildOf(files) };
  put(folder, 'release.json', `${JSON.stringify(release, undefined, 2)}\n`, 0o644);
  return release;
}

/** With the mode that it has in the release: what may be run, may be run by all. */
export function readOf(root, path) {
  const file = join(root, path);
  return {
    path,
    bytes: readFileSync(file),
    mode: (statSync(file).mode & 0o100) === 0 ? 0o644 : 0o755,
  };
}

/** `limpet agent upgrade` makes the same of an unpacked release: see cli/install/release.ts. */
export function buildOf(files) {
  const hash = createHash('sha256');
  for (const { path, bytes, mode } of [...files].sort(byPath))
    hash.update(`${path}\0${mode === 0o755 ? 'x' : '-'}\0${bytes.length}\0`).update(bytes);
  return hash.digest('hex').slice(0, BUILD_DIGITS);
}

export function byPath(a, b) {
  return a.path < b.path ? -1 : 1;
}

/** `folder`, with its own name, into the gzipped archive `target`; owned by 0, which is what an absent owner is read as. */
export async function pack(folder, paths, target) {
  const temporary = `${target}.${process.pid}.tmp`;
  const [cwd, name] = [dirname(folder), folder.slice(dirname(folder).length + 1)];
  try {
    await create(
      {
        ...{ cwd, file: temporary, gzip: { level: 9 }, portable: true, noDirRecurse: true },
        mtime: MTIME,
        // With more it may wait without end for files of several names: issue 460 of tar.
        jobs: 1,
      },
      [...paths].sort().map((path) => `${name}/${path}`),
    );
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function put(folder, path, bytes, mode) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  chmodSync(file, mode);
}
