/** docs/writing-a-plugin.md: every command on the page, as it stands there, in one shell. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import t from 'tap';
import { scriptedRequester } from '../../plugins/sdk/testing.ts';
import { eventually } from '../kit/eventually.ts';
import { killProcessesOf } from '../kit/leftovers.ts';
import { programDir } from '../kit/program-dir.ts';
import { startProgram } from '../kit/program.ts';

t.setTimeout(600_000);

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/writing-a-plugin.md'), 'utf8');
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, text]) => text ?? '',
  );

/** `npm install` has no registry here: the packages that it would bring are those of this checkout. */
const NPM = `#!/bin/sh
[ "$1" != install ] || exec ln -s ${root}/node_modules node_modules
PATH=\${PATH#*:} exec npm "$@"
`;

t.test('the walk-through, from nothing to a job that survives', async (t) => {
  const folder = programDir(t);
  t.teardown(() => killProcessesOf(folder));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(join(root, 'bin/limpet'), join(bin, 'limpet'));
  writeFileSync(join(bin, 'npm'), NPM);
  chmodSync(join(bin, 'npm'), 0o755);
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    LIMPET_DATA: join(folder, 'data'),
    LIMPET_API: undefined,
    LIMPET_TOKEN: undefined,
  };
  t.teardown(() => {
    spawnSync(join(bin, 'limpet'), ['dev', '--stop'], { env: { ...process.env, ...env } });
  });
  const script = ['set -eu', 'umask 022', ...blocks('sh')].join('\n');
  const shell = await startProgram(t, 'bash', { args: ['-c', script], cwd: folder, env });
  const { code } = await shell.waitForExit(500_000);
  if (code !== 0) throw new Error(`it ended with ${code}:\n${shell.stdout}\n${shell.stderr}`);
  t.match(shell.stdout, /^(#|ℹ) pass 4$/m, 'its own test');
  t.match(shell.stdout, /: \d+ passed, 0 failed, /, 'the conformance suite');
  const lines = Array.from({ length: 12 }, (_, i) => `line ${i + 1}\n`).join('');
  t.ok(shell.stdout.includes(lines), 'every line once, over the death of both');
  t.match(shell.stdout, /completed/i);

  const project = join(folder, 'hello');
  const read = (file: string): string => readFileSync(join(project, file), 'utf8');
  t.equal(read('job.yaml'), blocks('yaml')[0], 'the page shows the job as it is');
  const codeOf = (text: string): readonly string[] =>
    text.split('\n').map((line) => line.replace(/\/\/.*/, '').trim());
  const shown = codeOf(blocks('js')[0] ?? '').filter((line) => /import|command|argv/.test(line));
  for (const line of shown) t.ok(codeOf(read('src/main.js')).includes(line), line);
});

t.test(
  'limpet plugin init refuses what it must not touch, and names that no plugin can have',
  async (t) => {
    const folder = programDir(t);
    writeFileSync(join(folder, 'mine'), '');
    const init = (...args: string[]) =>
      spawnSync(join(root, 'bin/limpet'), ['plugin', 'init', ...args], {
        cwd: folder,
        encoding: 'utf8',
      });
    const full = init('hello', '--dir', '.');
    t.equal(full.status, 2);
    t.match(full.stderr, /is not empty; name a new or an empty folder with --dir/);
    t.match(init('Hello').stderr, /plugin name 'Hello'; expected a lower-case letter/);
    t.match(init('docker').stderr, /'docker' is an executor that every agent has/);
  },
);

t.test(
  'a scripted requester: a job of a plugin lives through the death of agent and plugin',
  async (t) => {
    const folder = programDir(t);
    const limpet = join(root, 'bin/limpet');
    spawnSync(limpet, ['plugin', 'init', 'hello'], { cwd: folder });
    const requester = await scriptedRequester({
      name: 'hello',
      command: [process.execPath, join(folder, 'hello/src/main.js')],
      limpet,
    });
    t.teardown(() => requester.end());
    // It does not end while both are there, however slow the machine is.
    const go = join(folder, 'go');
    const Script = `echo "line 1"; echo "line 2"; while [ ! -e ${go} ]; do sleep 0.1; done; echo "line 3"`;
    const job = await requester.submit({ Script });
    await eventually(
      'its second line',
      async () => (await requester.logs(job)).includes('line 2\n'),
      60_000,
    );
    const shown = (...args: string[]): string => {
      const env = { ...process.env, LIMPET_DATA: requester.folder };
      return spawnSync(limpet, [...args, '-o', 'json'], { env, encoding: 'utf8' }).stdout;
    };
    const [agent] = /(?<="pid": ?)\d+/.exec(shown('agent', 'status')) ?? [];
    const [plugin] = /(?<="pid": ?)\d+/.exec(shown('plugin', 'inspect', 'hello')) ?? [];
    t.match(`${agent} ${plugin}`, /^\d+ \d+$/);
    await requester.kill9('plugin');
    await requester.kill9('agent');
    const isGone = (pid = '') => !existsSync(join('/proc', pid));
    await eventually('both to be gone', () => isGone(agent) && isGone(plugin), 60_000);
    writeFileSync(go, '');
    t.equal(await requester.logs(job, { follow: true }), 'line 1\nline 2\nline 3\n');
    await eventually('its end', async () => (await requester.state(job)) === 'Completed', 60_000);
  },
);
