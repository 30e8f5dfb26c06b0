import t from 'tap';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { create } from 'tar';
import { stageInputs } from '../../agent/executions/inputs.ts';
import { SharedInputs } from '../../agent/executions/shared-inputs.ts';
import { placement, record } from '../kit/records.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.test(
  'an inline input that a power loss has torn is whole again before the run starts',
  async (t) => {
    const archive = { maxBytes: 1e6, maxFiles: 10 };
    const options = { folder: tempDir(t), allowLocal: [], archive };
    const staging = { signal: new AbortController().signal, progress: () => undefined };
    const URL = `data:text/plain,${'x'.repeat(100)}`;
    const inputs = [{ Source: { Type: 'inline', Params: { URL } }, Target: '/in' }];
    const { task } = placement();
    const staged = record({}, { task: { ...task, InputSources: inputs } });
    const [mount] = await stageInputs(staged, options, staging);
    t.match(mount, { target: '/in', readOnly: true });
    const file = mount?.source ?? '';
    const { ino } = statSync(file);
    await stageInputs(staged, options, staging);
    t.equal(statSync(file).ino, ino, 'one that is whole is left as it is');
    truncateSync(file, 7);
    await stageInputs(staged, options, staging);
    t.equal(readFileSync(file, 'utf8'), 'x'.repeat(100));
  },
);

t.test('whoever a container runs as can read its inputs, whatever the umask', async (t) => {
  const before = process.umask(0o022);
  t.teardown(() => process.umask(before));
  const from = tempDir(t);
  mkdirSync(join(from, 'bin/deep'), { recursive: true });
  writeFileSync(join(from, 'bin/deep/run'), 'x', { mode: 0o775 });
  writeFileSync(join(from, 'bin/secret'), 'x', { mode: 0o600 });
  const files = ['bin/deep/run', 'bin/secret'];
  const archive = create({ gzip: true, cwd: from, sync: true }, files).read() ?? '';
  const inputs = [
    { URL: 'data:text/plain,word' },
    { URL: `data:application/gzip;base64,${Buffer.from(archive).toString('base64')}` },
  ].map((Params, i) => ({ Source: { Type: 'inline', Params }, Target: `/in${i}` }));
  const { task } = placement();
  process.umask(0o077);
  const [file, folder] = await stageInputs(
    record({}, { task: { ...task, InputSources: inputs } }),
    { folder: tempDir(t), allowLocal: [], archive: { maxBytes: 1e6, maxFiles: 10 } },
    { signal: new AbortController().signal, progress: () => undefined },
  );
  t.equal(modeOf(file?.source ?? ''), 0o644);
  const unpacked = ['', 'bin', 'bin/deep', 'bin/deep/run', 'bin/secret'];
  t.strictSame(
    unpacked.map((name) => modeOf(join(folder?.source ?? '', name)).toString(8)),
    ['755', '755', '755', '755', '600'],
  );
});

t.test('inputs that nobody can write to are the same file for equal content', async (t) => {
  const folder = tempDir(t);
  const shared = new SharedInputs(folder);
  const file = shared.stage('e-1', Buffer.from('one'));
  t.equal(readFileSync(file, 'utf8'), 'one');
  t.equal(modeOf(file), 0o644);
  t.equal(shared.stage('e-2', Buffer.from('one')), file);
  rmSync(folder, { recursive: true });
  shared.stage('e-3', Buffer.from('one'));
  t.equal(readFileSync(file, 'utf8'), 'one', 'made again when somebody has removed it');
  truncateSync(file, 1);
  new SharedInputs(folder).stage('e-4', Buffer.from('one'));
  t.equal(readFileSync(file, 'utf8'), 'one', 'compared after a start of the agent');
});

t.test('shared inputs go when there are many, but for those in use', async (t) => {
  const shared = new SharedInputs(tempDir(t));
  const used = shared.stage('e-used', Buffer.from('used'));
  const first = shared.stage('e-0', Buffer.from('0'));
  for (let n = 0; n < 100; n++) {
    shared.stage(`e-${n}`, Buffer.from(String(n)));
    shared.release(`e-${n}`);
  }
  t.ok(existsSync(used));
  t.notOk(existsSync(first));
  t.ok(readdirSync(join(used, '..')).length <= 65);
});

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}
