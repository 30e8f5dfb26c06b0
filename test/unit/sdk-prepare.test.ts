import t from 'tap';
import { LimpetError } from '../../core/errors.ts';
import { prepareStream } from '../../plugins/sdk/prepare-stream.ts';
import type { Executor, RunSpec } from '../../plugins/sdk/types.ts';

type Prepare = Executor['prepare'];

const spec: RunSpec = {
  key: { executionId: 'e-1', run: 0 },
  specHash: 'h',
  jobId: 'j',
  jobName: 'j',
  kind: 'batch',
  owner: 'o',
  token: '1.0.0',
  params: {},
  env: {},
  mounts: [],
  limits: { cpuMillis: 0, memoryBytes: 0, pids: 0, diskBytes: 0 },
  network: 'none',
  deadlineAt: 0,
  digest: '',
  stopGraceMs: 0,
};

const messages = async (prepare: Prepare) => {
  const seen: string[] = [];
  const stream = prepareStream({ prepare }, spec, new AbortController().signal);
  for await (const { message, done, digest } of stream)
    seen.push(done === true ? `digest ${digest}` : (message ?? ''));
  return seen;
};

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

t.test('progress is seen, the digest comes last', async (t) => {
  let tell: () => void = () => undefined;
  const told = new Promise<void>((resolve) => (tell = resolve));
  const seen: string[] = [];
  const prepare: Prepare = async (_spec, progress) => {
    progress({ message: 'pulling', currentBytes: 1, totalBytes: 2 });
    await told;
    progress({ message: 'unpacking' });
    return 'sha256:1';
  };
  const stream = prepareStream({ prepare }, spec, new AbortController().signal);
  for await (const { message, digest } of stream) {
    seen.push(`${message}${digest === undefined ? '' : ` ${digest}`}`);
    tell();
  }
  t.match(seen, ['pulling', 'unpacking', 'ready sha256:1']);
});

t.test('progress that nobody has read yet is replaced by newer', async (t) => {
  const seen = await messages(async (_spec, progress) => {
    for (let i = 0; i < 1000; i++) progress({ message: `step ${i}` });
    return 'd';
  });
  t.match(seen, ['step 999', 'digest d']);
});

t.test('what is fetched goes to the agent by its name, with its bytes', async (t) => {
  const prepare: Prepare = async (_spec, progress) => {
    progress({ message: 'pulling', kind: 'image', item: 'a:1', currentBytes: 3, totalBytes: 9 });
    return 'd';
  };
  const [told] = await all(prepareStream({ prepare }, spec, new AbortController().signal));
  t.strictSame(told, {
    ...{ message: 'pulling', kind: 'image', item: 'a:1' },
    ...{ currentBytes: 3n, totalBytes: 9n, done: false },
  });
});

t.test('a refusal reaches the reader', async (t) => {
  const refused = messages(async () => {
    throw new LimpetError('refused', 'no such image');
  });
  await t.rejects(refused, { code: 'refused', message: 'no such image' });
});
