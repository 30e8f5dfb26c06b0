/** The README of the example in Python says how it becomes one file. */
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { withoutPython } from '../kit/examples.ts';
import { tempDir } from '../kit/temp-dir.ts';

const example = resolve(import.meta.dirname, '../../plugins/examples/python');

t.test(
  'the example in Python as one file, packed as its README says',
  { skip: withoutPython },
  (t) => {
    const folder = tempDir(t);
    const copy = join(folder, 'python');
    cpSync(example, copy, { recursive: true });
    const readme = readFileSync(join(example, 'README.md'), 'utf8');
    const [, commands = ''] = /```sh\n(.*?zipapp.*?)```/s.exec(readme) ?? [];
    const packed = spawnSync('sh', ['-euc', commands], {
      ...{ cwd: copy, encoding: 'utf8', timeout: 60_000 },
    });
    t.equal(packed.status, 0, packed.stderr);
    // Without the cookie it says what it is: its modules and its messages have been found by then.
    const { status, stderr } = spawnSync(join(folder, 'python.pyz'), [], {
      ...{ encoding: 'utf8', timeout: 60_000 },
    });
    t.equal(status, 1);
    t.match(stderr, /^This is the 'python' executor plugin of Limpet/);
    t.end();
  },
);
