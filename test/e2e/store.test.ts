/** What an agent finds wrong at its start is told in one line; what it can do without, it does without. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Level } from 'level';
import t, { type Test } from 'tap';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, wasmTask } from '../kit/job-specs.ts';
import { processesOf } from '../kit/leftovers.ts';
import { startDist } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(240_000);

t.test('a record that cannot be read is set aside, and the agent runs on', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  await agent.start();
  const [unlucky = '', lucky = ''] = await Promise.all(
    ['300', '40'].map((ticks) => cluster.submit(batchJob(wasmTask('ticker', [ticks, '100'])))),
  );
  const lost = await cluster.running(unlucky);
  const kept = await cluster.running(lucky);
  const holder = await agent.claim('wasm', lost);
  await agent.kill('SIGTERM');
  await damage(join(agent.folder, 'store'), `ex/${lost}`);

  const status = await agent.start();
  t.equal(status.quarantined.length, 1);
  t.match(status.quarantined[0], new RegExp(`^ex/${lost}: .*checksum`));
  t.match(status.degraded, ['1 records could not be read and are in quarantine']);
  t.ok(status.executions.some(({ id }) => id === kept));
  const claimed = await eventually('its owner to claim what is foreign', async () => {
    const { foreign, executions } = await agent.status();
    return foreign.length === 0 && executions.some(({ id }) => id === lost);
  });
  t.ok(claimed);
  t.equal(await agent.claim('wasm', lost), holder, 'without a record it is not stopped');
  t.ok(process.kill(Number(holder.split(' ')[0]), 0));
  t.match(await cluster.job(unlucky), { state: 'Running' }, 'for its owner nothing has happened');
  t.match(await cluster.ended(lucky), { state: 'Completed' });
  t.equal(await cluster.log(lucky), lines(40));

  await agent.stopAll();
  await eventually('what had no record to end with everything else', () => {
    const left = processesOf(agent.folder);
    if (left.length > 0) throw new Error(JSON.stringify(left));
    return true;
  });
});

t.test('a folder has one agent', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent();
  await agent.start();
  const config = `${agent.folder}.config.json`;
  const second = await run(t, '--config', config);
  t.equal(second.code, 1);
  t.match(second.line, /^limpet agent: .*store.* (is )?(open|in use|locked|used)/i);
  t.match(await agent.ready(), { link: { state: 'linked' } }, 'the first one does not notice');
});

t.test('a config that is wrong is refused with path, value and what is allowed', async (t) => {
  for (const [config, ...said] of [
    [{ stopGraceMs: -5 }, 'stopGraceMs', '-5', '0'],
    [{ executors: { wasm: { enabled: 'yes' } } }, 'executors.wasm.enabled', 'yes', 'boolean'],
    [{ allowLocal: [{ path: 'data' }] }, 'allowLocal.0.path', 'data', 'absolute path'],
    [{ allowEnv: ['('] }, 'allowEnv.0', '(', 'regular expression'],
    [{ stopGrace: 1 }, 'unknown key stopGrace'],
    [{ nats: { servers: ['nats://x'], pasword: 'p' } }, 'unknown key nats.pasword'],
    [{ capacity: { CPU: 'many' } }, 'capacity', 'many'],
  ] as const) {
    const folder = tempDir(t);
    const file = join(folder, 'agent.config.json');
    writeFileSync(file, JSON.stringify({ ...config, dataDir: join(folder, 'data') }));
    const { code, line } = await run(t, '--config', file);
    t.equal(code, 2, line);
    for (const part of said) t.ok(line.includes(part), `${part} in: ${line}`);
  }
});

t.test('a config that is no JSON, or is not there, is refused', async (t) => {
  const folder = tempDir(t);
  const file = join(folder, 'agent.config.json');
  writeFileSync(file, '{ "name": ');
  for (const config of [file, join(folder, 'none.json')]) {
    const { code, line } = await run(t, '--config', config);
    t.equal(code, 2);
    t.ok(line.includes(config), line);
  }
});

/** An agent that is to end by itself: its code and its only line. */
async function run(t: Test, ...args: string[]) {
  const program = await startDist(t, 'agent', { args });
  const { code } = await program.waitForExit(20_000);
  const [line = '', ...more] = program.stderr.trimEnd().split('\n');
  t.same(more, [], 'one line');
  t.equal(program.stdout, '');
  return { code, line };
}

/** Changes one letter of a value on the disk of an agent that is not there. */
async function damage(store: string, key: string): Promise<void> {
  const db = new Level(store, { createIfMissing: false });
  try {
    const value = await db.get(key);
    const changed = value?.replace('"state":"running"', '"state":"ruXning"');
    if (changed === undefined || changed === value) throw new Error(`no record under ${key}`);
    await db.put(key, changed, { sync: true });
  } finally {
    await db.close();
  }
}
