/** `fd_readdir`: the listing is taken once per open directory, so that cookies mean the same in every call. */
import fs from 'node:fs';
import type { DirectoryEntry, OpenDirectory } from './descriptors.ts';
import type { FileWorld } from './fd-calls.ts';
import { FILETYPE, direntHeader, filetypeOf } from './layout.ts';
import type { Place } from './tree.ts';

export function readdirCall({ memory, descriptors }: FileWorld) {
  return {
    fd_readdir: (fd: number, buffer: number, length: number, cookie: bigint, out: number) => {
      const directory = descriptors.directory(fd);
      const room = memory.bytes(buffer, length);
      memory.setU32(out, fill(room, listingOf(directory, cookie), Number(cookie)));
    },
  };
}

function listingOf(directory: OpenDirectory, cookie: bigint): readonly DirectoryEntry[] {
  if (cookie === 0n || directory.listing === undefined) directory.listing = list(directory.place);
  return directory.listing;
}

function list(place: Place): readonly DirectoryEntry[] {
  const found = new Map<string, number>([
    ['.', FILETYPE.directory],
    ['..', FILETYPE.directory],
  ]);
  if (place.host !== undefined)
    for (const entry of fs.readdirSync(`/proc/self/fd/${place.host.fd}`, { withFileTypes: true }))
      found.set(entry.name, filetypeOf(entry));
  for (const [name, node] of place.node?.children ?? [])
    found.set(name, node.mount?.isFile === true ? FILETYPE.regularFile : FILETYPE.directory);
  return Array.from(found, ([name, type]) => ({ name: Buffer.from(name), type }));
}

/** Fills the guest's buffer; the last entry may be cut, which tells the guest to ask again with a larger one. */
function fill(room: Uint8Array, listing: readonly DirectoryEntry[], from: number): number {
  let used = 0;
  for (const [offset, entry] of listing.slice(from).entries()) {
    const header = direntHeader(BigInt(from + offset + 1), entry.name.byteLength, entry.type);
    for (const part of [header, entry.name]) {
      const piece = part.subarray(0, room.byteLength - used);
      room.set(piece, used);
      used += piece.byteLength;
    }
    if (used === room.byteLength) break;
  }
  return used;
}
