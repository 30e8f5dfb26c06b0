/** What the documents say is held to the code: job files, error codes, the promise. */
import { accessSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { ERROR_CODES } from '../../core/errors.ts';
import { parseJobSpec } from '../../core/job-spec.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const PAGES = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

function jobFiles(page: string): readonly string[] {
  const fenced = [...read(page).matchAll(/^```yaml\n(.*?)^```/gms)];
  const written = [...read(page).matchAll(/<<EOF\n(.*?)^EOF/gms)];
  return [...fenced, ...written].map(([, text = '']) => text);
}

t.test('every job file that a document shows is valid', async (t) => {
  const all = PAGES.flatMap((page) => jobFiles(page).map((text) => ({ page, text })));
  t.ok(all.length >= 4, `${all.length} job files`);
  for (const { page, text } of all)
    t.doesNotThrow(() => parseJobSpec(parse(text), 'strict'), `${page}: ${text.split('\n')[0]}`);
});

t.test('every error code has its line in troubleshooting', async (t) => {
  const page = read('docs/troubleshooting.md');
  for (const code of ERROR_CODES) t.match(page, `\n| \`${code}\` `, code);
});

t.test('the promise has the same words wherever it stands', async (t) => {
  const promiseIn = (page: string): string | undefined =>
    /One run never has two copies.*never silently repeated\./.exec(read(page))?.[0];
  const promise = promiseIn('README.md');
  t.ok(promise, 'README.md');
  t.equal(promiseIn('docs/how-recovery-works.md'), promise, 'docs/how-recovery-works.md');
});

t.test('README names Linux in line 3, and the two commands before any other', async (t) => {
  const text = read('README.md');
  t.match(text.split('\n')[2], /^Linux only\./);
  t.equal(/```sh\n(.*?)```/s.exec(text)?.[1], 'npm run demo\nnpm test\n');
});

t.test('every relative link leads to a file', async (t) => {
  for (const page of [...PAGES, 'CONTRIBUTING.md'])
    for (const [, link = ''] of read(page).matchAll(/\]\(([^)#:]+)\)/g))
      t.doesNotThrow(() => accessSync(join(root, page, '..', link)), `${page}: ${link}`);
});
