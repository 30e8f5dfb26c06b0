import t from 'tap';
import { readFileSync, statSync, truncateSync } from 'node:fs';
import { stageInputs } from '../../agent/executions/inputs.ts';
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
