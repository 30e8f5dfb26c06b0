/**
 * `npx tsx scripts/sandbox-docs.mjs [--check]`: writes the list of attempts in docs/sandbox.md from the names of the tests
 * in test/sandbox, by file; what stands above the mark is written by hand. `--check` writes nothing and exits 1 when the
 * page is out of date.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/sandbox.md');
const MARK = '<!-- from here on written by scripts/sandbox-docs.mjs -->';

const before = readFileSync(page, 'utf8');
const [byHand] = before.split(MARK);
const tests = join(root, 'test/sandbox');
const sections = readdirSync(tests)
  .filter((name) => name.endsWith('.test.ts'))
  .sort()
  .map((name) => section(name, readFileSync(join(tests, name), 'utf8')));
const text = [byHand + MARK, '', '## Attempts, and how each ends', '', ...sections].join('\n');
const pretty = await format(text, { ...(await resolveConfig(page)), filepath: page });

if (pretty !== before && process.argv.includes('--check')) {
  console.error('out of date: docs/sandbox.md; run `npx tsx scripts/sandbox-docs.mjs`');
  process.exitCode = 1;
} else if (pretty !== before) writeFileSync(page, pretty);

/** Its title is the comment in the first line; its attempts are the names of the tests at the top level. */
function section(name, source) {
  const title = /^\/\*\* (.+?) \*\//.exec(source)?.[1] ?? name;
  const names = [...source.matchAll(/^t\.test\(\s*(['"])((?:\\.|(?!\1)[^\\])*)\1/gm)];
  const lines = names.map(([, , quoted]) => `- ${sentence(quoted.replaceAll(/\\(.)/g, '$1'))}`);
  return `### ${title}\n\n${lines.join('\n')}\n`;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
