/** Archives as no honest program writes them. */
import { gzipSync } from 'node:zlib';
import { Header, type HeaderData } from 'tar';

const BLOCK = 512;

export interface CraftedEntry extends HeaderData {
  readonly path: string;
  readonly body?: string;
  /** Says this size, whatever follows. */
  readonly claims?: number;
}

/** A tar.gz of these entries; a plain file unless `type` says otherwise. */
export function craftedArchive(entries: readonly CraftedEntry[]): Buffer {
  const blocks = entries.flatMap(({ body = '', claims, ...data }) => {
    const bytes = Buffer.from(body);
    const head = Buffer.alloc(BLOCK);
    new Header({ mode: 0o644, type: 'File', ...data, size: claims ?? bytes.length }).encode(head);
    const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
    return [head, bytes, padding];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]));
}
