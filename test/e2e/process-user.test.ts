/** Commands of a user of their own, as an installed agent runs them: its folders are closed to that user. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { create } from 'tar';
import { startCluster } from '../kit/cluster.ts';
import { batchJob, inline, processTask } from '../kit/job-specs.ts';

t.setTimeout(240_000);

const skip = process.getuid?.() === 0 ? false : 'only root can run commands as another user';

t.test(
  'they read their inputs, hand over results, and get at nothing else',
  { skip },
  async (t) => {
    const cluster = await startCluster(t);
    const agent = cluster.addAgent({
      executors: {
        process: { enabled: true, config: { user: 'nobody' } },
        wasm: { enabled: false },
        docker: { enabled: false },
      },
    });
    const folder = join(cluster.folder, 'packed');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'deep/file'), 'packed\n', { mode: 0o644 });
    const archive = join(cluster.folder, 'packed.tgz');
    await create({ gzip: true, cwd: folder, file: archive }, ['deep/file']);
    // That of the unit.
    const before = process.umask(0o077);
    t.teardown(() => process.umask(before));
    await agent.start();
    const script = `
    id -un
    cat in/word in/data/deep/file
    for one in in/word in/new in/data/new; do (echo changed > $one) 2> /dev/null || echo refused; done
    for one in ../run.json ../../0/run.json ${agent.folder}/identity.json; do
      cat $one 2> /dev/null || echo closed
    done
    ls .. ${agent.folder} 2> /dev/null || echo closed
    echo made > out/file; mkdir out/sub; echo deep > out/sub/file`;
    const InputSources = [
      inline(Buffer.from('a word\n'), '/in/word'),
      inline(readFileSync(archive), '/in/data', 'application/gzip'),
    ];
    const results = { Publisher: { Type: 'local' }, ResultPaths: [{ Name: 'out', Path: '/out' }] };
    const job = await cluster.submit(batchJob(processTask(script, { InputSources, ...results })));
    const { state, message } = await cluster.ended(job);
    t.equal(state, 'Completed', message);
    t.strictSame((await cluster.log(job)).trim().split('\n'), [
      ...['nobody', 'a word', 'packed'],
      ...['refused', 'refused', 'refused'],
      ...['closed', 'closed', 'closed', 'closed'],
    ]);
    const got = join(cluster.folder, 'got');
    await cluster.ran('job', 'get', job, '--output-dir', got);
    t.equal(readFileSync(join(got, 'out/file'), 'utf8'), 'made\n');
    t.equal(readFileSync(join(got, 'out/sub/file'), 'utf8'), 'deep\n');
  },
);
