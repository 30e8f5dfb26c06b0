/** A program that has a code cache runs with it, and without it. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { tempDir } from '../kit/temp-dir.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const runner = join(root, 'dist/agent.js');
const skip = existsSync(runner) ? false : 'the agent is not built';

void t.test('a program with a code cache', { skip }, async (t) => {
  const folder = tempDir(t);
  const at = (name: string) => join(folder, name);
  const write = (answer: string) =>
    writeFileSync(
      at('some.cjs'),
      `const { basename } = require('node:path');
       const answer = () => '${answer} ' + basename(__filename) + ' ' + process.argv.slice(2).join();
       console.log(answer());`,
    );
  const node = (...args: readonly string[]) => {
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    return stdout + stderr;
  };
  const run = () => node(at('some.js'), 'a', 'b');
  const make = () => {
    const maker = join(root, 'scripts/make-code-cache.mjs');
    node(maker, at('some.cjs'), at('made'), 'a');
    return existsSync(at('made'));
  };
  copyFileSync(runner, at('some.js'));
  write('one');
  t.equal(run(), 'one some.cjs a,b\n', 'it needs no cache');
  t.ok(make());
  copyFileSync(at('made'), at('some.cache'));
  rmSync(at('made'));
  t.equal(run(), 'one some.cjs a,b\n');
  t.notOk(make(), 'V8 takes the cache: it is not made anew');

  write('two');
  t.equal(run(), 'two some.cjs a,b\n', 'a cache of other code of the same length is passed over');
  t.ok(make());
  const bytes = readFileSync(at('made'));
  writeFileSync(at('some.cache'), bytes.subarray(0, bytes.length / 2));
  t.equal(run(), 'two some.cjs a,b\n', 'half a cache is none');
  const blank = Buffer.concat([bytes.subarray(0, 1024), Buffer.alloc(bytes.length - 1024)]);
  writeFileSync(at('some.cache'), blank);
  t.equal(run(), 'two some.cjs a,b\n', 'one with a hole that a power loss has left is none');
  writeFileSync(at('some.cache'), '');
  t.equal(run(), 'two some.cjs a,b\n', 'nor is an empty one');
});
