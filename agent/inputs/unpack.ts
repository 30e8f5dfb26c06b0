/** Unpacks an archive that came with a job: files and folders within the limits, and links that stay inside. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, ReadEntry } from 'tar';
import { ArchiveEntries, type ArchiveLimits } from '../../core/archive-entries.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';

const PIECE_BYTES = 64 * 1024;
const PLAIN_MODE = 0o777;

/** Errors: `refused`, `too-large`. Whatever was unpacked by then is there. */
export async function unpackHere(
  archive: Buffer,
  folder: string,
  limits: ArchiveLimits,
): Promise<void> {
  const entries = new ArchiveEntries(limits);
  const source = Readable.from(pieces(archive));
  const filter = (_path: string, entry: object): boolean => {
    if (source.destroyed || !(entry instanceof ReadEntry)) return false;
    const { path } = entry;
    // Without set-user and set-group bits.
    entry.mode = (entry.mode ?? PLAIN_MODE) & PLAIN_MODE;
    try {
      const fault = entries.judge(entry);
      if (fault !== undefined)
        throw new LimpetError(
          'refused',
          `the archive is not unpacked: ${JSON.stringify(path)}: ${fault}`,
        );
      return true;
    } catch (thrown) {
      source.destroy(LimpetError.from(thrown));
      return false;
    }
  };
  try {
    await pipeline(source, extract({ cwd: folder, strict: true, filter }));
  } catch (thrown) {
    if (thrown instanceof LimpetError) throw thrown;
    throw new LimpetError('refused', `not a tar.gz archive: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function* pieces(archive: Buffer): Generator<Buffer> {
  for (let at = 0; at < archive.length; at += PIECE_BYTES)
    yield archive.subarray(at, at + PIECE_BYTES);
}
