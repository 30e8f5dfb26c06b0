/** What a build is made from, as one hash; dist/ keeps the hash that it was built from. Only node:* here. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const STAMP = '.sources';

const INPUTS = [
  'core',
  'wire',
  'adapters',
  'plugins',
  'executors',
  'agent',
  'requester',
  'cli',
  'fixtures',
  'scripts/build.mjs',
  'scripts/code-cache.mjs',
  'scripts/bundle-plugins.mjs',
  'scripts/make-code-cache.mjs',
  'scripts/program.mjs',
  'scripts/release/notices.mjs',
  'scripts/sdk-types.mjs',
  'package.json',
  'package-lock.json',
];

export function hashSources(root) {
  const hash = createHash('sha256');
  for (const file of INPUTS.flatMap((input) => filesIn(root, input))) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

export function isBuilt(root) {
  const stamp = join(root, 'dist', STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hashSources(root);
}

function filesIn(root, input) {
  const stat = statSync(join(root, input), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (stat.isFile()) return [input];
  const names = readdirSync(join(root, input), { recursive: true });
  const files = names
    .map((name) => join(input, name))
    .filter((file) => !file.includes('node_modules'));
  return files.filter((file) => statSync(join(root, file)).isFile()).sort();
}
