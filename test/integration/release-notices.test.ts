/** What a release says of the packages that it has code of. */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { z } from 'zod';
import { startProgram, type Program } from '../kit/program.ts';
import { makeRelease, unpack } from '../kit/release.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Teardown } from '../kit/teardown.ts';

t.setTimeout(240_000);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function linkAll(from: string, to: string, but: readonly string[] = []): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from))
    if (!but.includes(name)) symlinkSync(join(from, name), join(to, name));
}

/** This checkout, with one more package whose code is in `limpet`. */
function checkoutWith(t: Teardown, description: Readonly<Record<string, unknown>>): string {
  const root = tempDir(t);
  linkAll(ROOT, root, ['dist', 'scripts', 'node_modules', 'release', '.git']);
  cpSync(join(ROOT, 'scripts'), join(root, 'scripts'), { recursive: true });
  linkAll(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  linkAll(join(ROOT, 'dist'), join(root, 'dist'));
  const added = join(root, 'node_modules/added');
  mkdirSync(added);
  const about = { name: 'added', version: '1.2.3', ...description };
  writeFileSync(join(added, 'package.json'), JSON.stringify(about));
  const packages = join(root, 'dist/limpet.js.packages.json');
  rmSync(packages);
  writeFileSync(packages, JSON.stringify(['node_modules/added']));
  return root;
}

async function released(t: Teardown, root: string): Promise<Program> {
  const args = [join(root, 'scripts/release.mjs'), '--arch', 'x64', '--no-build', '--no-times'];
  const program = await startProgram(t, process.execPath, { args: [...args, '--out', root] });
  await program.waitForExit(120_000);
  return program;
}

/** Of a release: what it says of each package, by `NAME VERSION`. */
async function noticesIn(t: Teardown, archive: string): Promise<ReadonlyMap<string, string>> {
  const release = await unpack(archive, tempDir(t));
  const text = readFileSync(join(release, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  const parts = text.split(`\n${'-'.repeat(80)}\n`).slice(1);
  return new Map(parts.map((part) => [part.split('\n')[0] ?? '', part]));
}

t.test('each package whose code is in a release has its licence in the notices', async (t) => {
  const notices = await noticesIn(t, await makeRelease(t, tempDir(t)));
  const dist = join(ROOT, 'dist');
  const programs = readdirSync(dist).filter((name) => /\.c?js\.packages\.json$/.test(name));
  const bundled = programs.flatMap((name) =>
    z.array(z.string()).parse(JSON.parse(readFileSync(join(dist, name), 'utf8'))),
  );
  t.ok(bundled.length > 50);
  const about = z.object({ name: z.string(), version: z.string(), license: z.string() });
  for (const folder of new Set([...bundled, 'node_modules/classic-level'])) {
    const file = join(ROOT, folder, 'package.json');
    const { name, version, license } = about.parse(JSON.parse(readFileSync(file, 'utf8')));
    const notice = notices.get(`${name} ${version}`) ?? '';
    t.ok(notice.includes(`\nLicence: ${license}\n`), name);
  }
  t.strictSame([...notices.keys()], [...notices.keys()].sort(), 'sorted');
  for (const [name, holder] of [
    ['zod', 'Copyright (c) 2025 Colin McDonnell'],
    ['classic-level', 'Copyright (c) 2011 The LevelDB Authors.'],
    ['classic-level', 'Copyright 2011, Google Inc.'],
    ['dockerode', 'Apache License'],
  ] as const) {
    const [, notice = ''] = [...notices].find(([key]) => key.startsWith(`${name} `)) ?? [];
    t.ok(notice.includes(holder), `${name}: ${holder}`);
  }
});

for (const [what, license, told] of [
  ['no licence', undefined, 'not told'],
  ['an unknown licence', 'SSPL-1.0', '"SSPL-1.0"'],
  ['two licences, one of them unknown,', 'MIT AND SSPL-1.0', '"MIT AND SSPL-1.0"'],
  ['a licence that only a file tells', 'SEE LICENSE IN x', '"SEE LICENSE IN x"'],
] as const)
  t.test(`a package with ${what} stops the release, in one line`, async (t) => {
    const root = checkoutWith(t, license === undefined ? {} : { license });
    const { exit, stderr, stdout } = await released(t, root);
    t.equal(exit?.code, 1);
    t.equal(stdout, '');
    t.match(
      stderr,
      `release: added 1.2.3 (node_modules/added) is part of the release, and its licence is ${told}; expected one of 0BSD, Apache-2.0,`,
    );
    t.equal(stderr.split('\n').length, 2);
    t.notOk(readdirSync(root).some((name) => name.endsWith('.tar.gz')));
  });

t.test('a package without a file of its licence is named with it', async (t) => {
  const root = checkoutWith(t, { license: '(MIT OR SSPL-1.0)' });
  const { stdout, stderr } = await released(t, root);
  const notices = await noticesIn(t, stdout.trim().split('\n').at(-1) ?? stderr);
  t.equal(notices.get('added 1.2.3')?.trim(), 'added 1.2.3\nLicence: (MIT OR SSPL-1.0)');
});
