/** Unpacks an archive that came with a job: files and folders within the limits, and links that stay inside. */
import { once } from 'node:events';
import { chmod, readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, ReadEntry } from 'tar';
import { ArchiveEntries, type ArchiveLimits } from '../../core/archive-entries.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';

const PIECE_BYTES = 64 * 1024;
const PLAIN_MODE = 0o777;
/** Whatever the umask of the agent is: its service's would hide inputs from a container's user who is not root. */
const UMASK = 0o022;
const FOLDER_MODE = PLAIN_MODE & ~UMASK;
/** Of a folder; else it could not be removed any more. */
const OWNER_MODE = 0o700;
/** Of one entry at the most, beside its content: heads, long names, padding. */
const HEADS_BYTES = 4096;
const SLACK_BYTES = 1024 ** 2;

/** Errors: `refused`, `too-large`. Whatever was unpacked by then is there. */
export async function unpackHere(
  archive: Buffer,
  folder: string,
  limits: ArchiveLimits,
): Promise<void> {
  const modes = new Map<string, number>();
  await unpack(archive, folder, { limits, modes });
  await setModes(folder, modes);
}

interface Order {
  readonly limits: ArchiveLimits;
  /** Filled with those that the archive gives. */
  readonly modes: Map<string, number>;
}

async function unpack(archive: Buffer, folder: string, { limits, modes }: Order): Promise<void> {
  const entries = new ArchiveEntries(limits);
  let fault: LimpetError | undefined;
  const filter = (_path: string, entry: object): boolean => {
    if (fault !== undefined || !(entry instanceof ReadEntry)) return false;
    // Without set-user and set-group bits.
    entry.mode = (entry.mode ?? PLAIN_MODE) & PLAIN_MODE;
    try {
      const odd = entries.judge(entry);
      if (odd !== undefined) fault = notUnpacked(entry.path, odd);
      if (entry.type !== 'Link') modes.set(plain(entry.path), entry.mode & ~UMASK);
    } catch (thrown) {
      fault = LimpetError.from(thrown);
    }
    return fault === undefined;
  };
  const out = extract({ cwd: folder, strict: true, filter });
  const written = new Promise<void>((resolve, reject) => {
    out.once('close', resolve);
    out.once('error', reject);
  });
  const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      if (!out.write(chunk)) await Promise.race([once(out, 'drain'), written]);
      if (fault !== undefined) throw fault;
    }
    out.end();
    await written;
    if (fault !== undefined) throw fault;
  };
  try {
    written.catch(messageOf);
    await pipeline(Readable.from(pieces(archive)), createGunzip(), bounded(limits), write);
  } catch (thrown) {
    if (fault !== undefined) throw fault;
    throw notReadable(thrown);
  }
}

/** As the archive gives them; of folders that it has no entry of, as anybody would make them. `names` lead from its root. */
async function setModes(
  folder: string,
  modes: ReadonlyMap<string, number>,
  names = '',
): Promise<void> {
  await chmod(folder, (modes.get(names) ?? FOLDER_MODE) | OWNER_MODE);
  for (const found of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, found.name);
    const name = posix.join(names, found.name);
    const given = modes.get(name);
    if (found.isDirectory()) await setModes(path, modes, name);
    else if (found.isFile() && given !== undefined) await chmod(path, given);
  }
}

/** `./a//b/` is `a/b`. */
function plain(path: string): string {
  return posix.relative('.', path);
}

function notReadable(thrown: unknown): LimpetError {
  const error = LimpetError.from(thrown, 'refused');
  if (error.code === 'too-large') return error;
  return new LimpetError('refused', `not a tar.gz archive: ${error.message}`, { cause: thrown });
}

function notUnpacked(path: string, why: string): LimpetError {
  return new LimpetError('refused', `the archive is not unpacked: ${JSON.stringify(path)}: ${why}`);
}

/** Of what is unpacked, heads and padding included: nothing but zeros is an archive too, and blocks whoever reads it. */
function bounded({ maxBytes, maxFiles }: ArchiveLimits): Transform {
  const most = maxBytes + maxFiles * HEADS_BYTES + SLACK_BYTES;
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= most) done(null, chunk);
      else done(new LimpetError('too-large', `the archive unpacks to more than ${maxBytes} bytes`));
    },
  });
}

function* pieces(archive: Buffer): Generator<Buffer> {
  for (let at = 0; at < archive.length; at += PIECE_BYTES)
    yield archive.subarray(at, at + PIECE_BYTES);
}
