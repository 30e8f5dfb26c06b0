/** `limpet job adopt|stop --foreign`: what a person sees who decides, by way of the requester, on work of a lost store. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { shortId } from '../../core/ids.ts';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, local, wasmTask } from '../kit/job-specs.ts';
import { replaceRequester } from '../e2e/foreign-word.ts';
import { loseRecords } from '../e2e/lost-records.ts';

t.setTimeout(180_000);

t.test('an operator adopts one and stops the other, from anywhere', async (t) => {
  const cluster = await startCluster(t);
  const words = join(cluster.folder, 'words');
  mkdirSync(words);
  const agent = cluster.addAgent({ allowLocal: [{ path: words }] });
  const { nodeId } = await agent.start();
  const long = await cluster.submit(batchJob(wasmTask('ticker', ['6000', '100'])));
  // Ends when it is told, however long the rest takes.
  const InputSources = [local(words, '/words')];
  const short = await cluster.submit(
    batchJob(wasmTask('wait-for', ['words/end'], { InputSources })),
  );
  const [stopped, adopted] = [await cluster.running(long), await cluster.running(short)];
  const holder = await agent.claim('wasm', adopted);
  await agent.kill();
  await loseRecords(agent.folder);
  await replaceRequester(cluster);
  await agent.start();
  const shown = await described(cluster, nodeId, (text) =>
    [stopped, adopted].every((id) => text.includes(shortId(id))),
  );
  t.match(shown, /unknown/, 'its requester does not know them');

  await refused(
    { t, cluster },
    ['adopt', adopted],
    /only foreign work can be adopted; add --foreign/,
  );
  await refused(
    { t, cluster },
    ['stop', 'e-', '--foreign'],
    /several foreign executions match 'e-'/,
  );
  const none = /no node tells of anything foreign under e-0/;
  await refused({ t, cluster }, ['stop', 'e-0000', '--foreign'], none);

  const adopt = await cluster.ran('job', 'adopt', adopted.slice(-8), '--foreign');
  t.equal(adopt.exit?.code, 0);
  const node = shortId(nodeId);
  t.equal(
    adopt.stdout.trim(),
    `foreign execution ${shortId(adopted)} is to be adopted by node ${node}`,
  );
  const stop = await cluster.ran('job', 'stop', stopped, '--foreign');
  t.equal(
    stop.stdout.trim(),
    `foreign execution ${shortId(stopped)} is to be stopped by node ${node}`,
  );
  const foreign = await eventually('both words to be followed', async () => {
    const { foreign } = await agent.status();
    return foreign.length === 1 && foreign;
  });
  t.match(foreign, [new RegExp(`${adopted} run 0 running, adopt \\(operator\\)`)]);
  t.equal(await agent.claim('wasm', adopted), holder, 'the same run');
  const ended = await agent.history(stopped);
  t.match(ended.find(({ to }) => to === 'stopping')?.cause, /stopped by an operator/);
  await described(cluster, nodeId, (text) => !text.includes(shortId(stopped)));
  await refused(
    { t, cluster },
    ['stop', stopped, '--foreign'],
    /no node tells of anything foreign/,
  );
  writeFileSync(join(words, 'end'), '');
  await eventually(
    'the adopted one to end by itself',
    async () => (await agent.status()).foreign.length === 0,
    60_000,
  );
  const last = (await agent.history(adopted)).find(({ to }) => to === 'completed');
  t.match(last, { from: 'publishing' });
});

/** What `limpet node describe` prints, once it is like that. */
function described(
  cluster: Cluster,
  node: string,
  like: (text: string) => boolean,
): Promise<string> {
  return eventually(
    'the node to be shown so',
    async () => {
      const { stdout, stderr } = await cluster.ran('node', 'describe', node);
      if (!like(stdout)) throw new Error(stdout + stderr);
      return stdout;
    },
    60_000,
  );
}

async function refused(
  { t, cluster }: { readonly t: Test; readonly cluster: Cluster },
  words: readonly string[],
  message: RegExp,
): Promise<void> {
  const { exit, stderr } = await cluster.ran('job', ...words);
  t.match(stderr, message);
  t.not(exit?.code, 0);
}
