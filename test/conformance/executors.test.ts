/** Every executor of ours, and the examples in Go and Python, keep every rule of the conformance suite. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { samplesFromSchema } from '../../plugins/conformance/samples.ts';
import { readSubjectFile, type SubjectFile } from '../../plugins/conformance/subject.ts';
import type { Params, Samples } from '../../plugins/conformance/types.ts';
import { callEngine } from '../../scripts/engine.mjs';
import { privateEngine, privateEngineSkip } from '../kit/engine.ts';
import { goExample, pythonExample, withoutGo, withoutPython } from '../kit/examples.ts';
import { programDir } from '../kit/program-dir.ts';
import { judge, met, PLAIN, ROOT } from './kit.ts';

t.setTimeout(600_000);

const JOBS = 4;

/** What no plugin of ours can be asked, beside what the test names. */
const NEVER = [
  ...['handshake/fingerprint-kept', 'streams/exec-exit'],
  ...['streams/stats', 'streams/stats-unknown'],
];
const HELD = ['stop/at-return', 'deadline/at-return'];

interface Executor {
  readonly command: readonly string[];
  readonly file?: SubjectFile;
  /** Rules that say nothing about it. */
  readonly skipped: readonly string[];
}

function built(name: string): readonly string[] {
  return [process.execPath, join(ROOT, 'dist', `${name}.js`)];
}

async function keepsAll(t: Test, { command, file = PLAIN, skipped }: Executor): Promise<void> {
  const folder = programDir(t);
  const plugin = await met({ command, file, folder });
  const verdicts = await judge(plugin, { folder, jobs: JOBS });
  for (const { result, rule, reason } of verdicts)
    if (result !== 'skip') t.equal(result, 'pass', `${rule} ${reason}`);
  const left = verdicts.filter(({ result }) => result === 'skip').map(({ rule }) => rule);
  t.strictSame(left.sort(), [...NEVER, ...skipped].sort(), 'rules that say nothing about it');
}

/** The samples by sh, as params that `paramsOf` makes of a command. */
function bySh(paramsOf: (command: unknown) => Params): Samples {
  const schema = { properties: { Command: { type: 'array', items: { type: 'string' } } } };
  const samples = samplesFromSchema(JSON.stringify(schema)) ?? {};
  return Object.fromEntries(
    Object.entries(samples).map(([name, params]: [string, Params]) => [
      name,
      paramsOf(params['Command']),
    ]),
  );
}

await t.test('process', (t) => keepsAll(t, { command: built('executor-process'), skipped: HELD }));

await t.test('wasm', (t) => {
  const target = '/app/main.wasm';
  const work = (...Parameters: readonly string[]) => ({ EntryModule: target, Parameters });
  const samples = {
    ...{ short: work('short'), fails: work('fails'), long: work('long'), env: work('env') },
    ...{ flood: work('lines', '5000'), huge: work('lines', '200000'), invalid: { EntryModule: 7 } },
  };
  const source = join(ROOT, 'fixtures/wasm/samples.wasm');
  const mounts = [{ source, target, readOnly: true }];
  // A guest gets no signals: there is nothing that it could ignore.
  const stubborn = ['stop/kill', 'stop/nearer', 'stop/not-later', 'deadline/stubborn'];
  return keepsAll(t, {
    command: built('executor-wasm'),
    file: { ...PLAIN, config: { warm: 1 }, mounts, samples },
    skipped: [...HELD, ...stubborn],
  });
});

await t.test('docker', { skip: privateEngineSkip() }, async (t) => {
  const { host, image } = await privateEngine(t);
  const samples = bySh((command) => ({ Image: image, Parameters: command }));
  await keepsAll(t, {
    command: built('executor-docker'),
    file: { ...PLAIN, config: { host }, samples },
    skipped: ['recovery/renew-held', 'stop/after-death', 'deadline/no-plugin'],
  });
  for (const path of ['/containers/json?all=1', '/volumes']) {
    const { body } = await callEngine(host, { path });
    const found: unknown = JSON.parse(body);
    t.notMatch(JSON.stringify(found), /limpet/, `nothing of ours is left: ${path}`);
  }
});

await t.test('the example in Python', { skip: withoutPython }, (t) => {
  const { command, file } = pythonExample();
  return keepsAll(t, { command, file: readSubjectFile(file), skipped: HELD });
});

await t.test('the example in Go', { skip: withoutGo }, async (t) =>
  keepsAll(t, { command: await goExample(t), skipped: HELD }),
);
