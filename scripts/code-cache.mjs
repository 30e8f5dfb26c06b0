/**
 * Programs as V8 has compiled them. A cache begins with a hash of what it was made from and of itself: V8 only compares
 * lengths, a program and its cache are two files, and what a power loss has left of either must not be run. Only node:*
 * here: this is part of every program that has a cache.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

const HASH_BYTES = 32;

/** `file` is CommonJS and ASCII. */
export function load(file) {
  const bytes = readFileSync(file);
  const hashWith = (cache) =>
    createHash('sha256').update(process.version).update(bytes).update(cache).digest();
  const cachedData = readCache(file.replace(/\.cjs$/, '.cache'), hashWith);
  const text = `(function (exports, require, module, __filename, __dirname) { ${bytes.latin1Slice()}\n})`;
  const script = new Script(text, { filename: file, cachedData });
  return {
    /** There was a cache, and V8 has taken it. */
    isCached: cachedData !== undefined && script.cachedDataRejected === false,
    run() {
      const module = { exports: {} };
      const main = script.runInThisContext();
      main(module.exports, createRequire(file), module, file, dirname(file));
    },
    /** With the functions that have been called until now. */
    cache() {
      const cache = script.createCachedData();
      return Buffer.concat([hashWith(cache), cache]);
    },
  };
}

function readCache(file, hashWith) {
  try {
    const bytes = readFileSync(file);
    const cache = bytes.subarray(HASH_BYTES);
    return bytes.subarray(0, HASH_BYTES).equals(hashWith(cache)) ? cache : undefined;
  } catch {
    return undefined;
  }
}
