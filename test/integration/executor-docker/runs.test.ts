import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { containerName } from '../../../executors/docker/labels.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newNode, newRun, openPlugin, readLog } from './node.ts';
import { engineMissing, startPrivateEngine } from './private-engine.ts';

const missing = engineMissing();

void t.test('a run in a container', { skip: missing ?? false }, async (t) => {
  const engine = await startPrivateEngine(t);
  const node = newNode(tempDir(t));
  const plugin = await openPlugin(node, engine.host);
  t.teardown(() => plugin.close?.());
  const nameOf = (run: { spec: { key: { executionId: string; run: number } } }) =>
    containerName(node, run.spec.key);

  await t.test(
    'the engine is healthy, and keeps an id that a second look finds again',
    async (t) => {
      const seen = await plugin.fingerprint();
      t.equal(seen.health, 'healthy', seen.reason);
      const id = await plugin.engineId?.();
      t.match(id, /^[0-9a-f-]{36}$/);
      t.equal(await (await openPlugin(node, engine.host)).engineId?.(), id);
    },
  );

  await t.test('ends with its exit code and its whole output', async (t) => {
    const good = newRun(node, 'echo out; echo err >&2');
    const bad = newRun(node, 'exit 7');
    const started = await plugin.start(good);
    t.match(started, { marked: true, sameBoot: true, ours: true, specHash: 'hash-1' });
    await plugin.start(bad);
    t.match(await ended(plugin, good), { phase: 'exited', outcome: { by: 'exit', code: 0 } });
    t.match(await ended(plugin, bad), { phase: 'exited', outcome: { by: 'exit', code: 7 } });
    t.same(await readLog(plugin, good), { stdout: 'out\n', stderr: 'err\n', gaps: 0 });
  });

  await t.test('prepare names the image by its id, which start runs', async (t) => {
    const run = newRun(node, 'true');
    const digest = await plugin.prepare(run.spec, () => undefined, AbortSignal.timeout(10_000));
    t.match(digest, /^sha256:/);
    const pinned = newRun(node, 'true', { digest });
    await plugin.start(pinned);
    t.match(await ended(plugin, pinned), { outcome: { by: 'exit', code: 0 } });
  });

  await t.test('a missing image is refused at once when pulling is not allowed', async (t) => {
    const { spec } = newRun(node, 'true', { params: { Image: 'no/such:1' } });
    const call = plugin.prepare(spec, () => undefined, AbortSignal.timeout(2_000));
    await t.rejects(call, {
      code: 'refused',
      message: /no\/such:1 is not on this node and the pull policy is never/,
    });
  });

  await t.test('a missing image that no registry has is refused with the reason', async (t) => {
    const params = { Image: '127.0.0.1:9/no/such:1', PullPolicy: 'missing' };
    const { spec } = newRun(node, 'true', { params });
    const call = plugin.prepare(spec, () => undefined, AbortSignal.timeout(15_000));
    await t.rejects(call, { code: 'refused', message: /cannot be pulled: .*127\.0\.0\.1:9/ });
  });

  await t.test('a registry that does not answer is given up after the look-up time', async (t) => {
    const { createServer } = await import('node:net');
    const silent = createServer().listen(0, '127.0.0.1');
    t.teardown(() => silent.close());
    await new Promise((resolve) => silent.once('listening', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const impatient = await openPlugin(node, engine.host, { config: { pullLookupMs: 300 } });
    const params = { Image: `127.0.0.1:${port}/no/such:1`, PullPolicy: 'missing' };
    const { spec } = newRun(node, 'true', { params });
    const call = impatient.prepare(spec, () => undefined, AbortSignal.timeout(10_000));
    await t.rejects(call, { code: 'refused', message: /no registry answered within 300 ms/ });
  });

  await t.test(
    'a command that does not exist is refused with the words of the engine',
    async (t) => {
      const run = newRun(node, '', { params: { Parameters: ['/no/such/program'], Init: false } });
      await t.rejects(plugin.start(run), { code: 'refused', message: /no such file or directory/ });
      t.match(await plugin.observe(run), { phase: 'created', startError: /no such file/ });
    },
  );

  await t.test('under the init of the engine it ends with 127 and says why', async (t) => {
    const run = newRun(node, '', { params: { Parameters: ['/no/such/program'] } });
    await plugin.start(run);
    t.match(await ended(plugin, run), { outcome: { by: 'exit', code: 127 } });
    t.match(await readLog(plugin, run), { stderr: /no\/such\/program failed: No such file/ });
  });

  await t.test('a mount of a folder that does not exist is refused', async (t) => {
    const mounts = [{ source: '/no/such/folder', target: '/input', readOnly: true }];
    await t.rejects(plugin.start(newRun(node, 'true', { mounts })), {
      code: 'refused',
      message: /no\/such\/folder/,
    });
  });

  await t.test('out of memory is told apart from being killed', async (t) => {
    const limits = { cpuMillis: 0, memoryBytes: 32 * 1024 * 1024, pids: 0, diskBytes: 0 };
    const hungry = newRun(node, 'head -c 200m /dev/zero | tail', { limits });
    const killed = newRun(node, 'kill -9 $$', { limits });
    await plugin.start(hungry);
    await plugin.start(killed);
    t.match(await ended(plugin, hungry), { outcome: { by: 'oom', code: 137, reason: 'memory' } });
    t.match(await ended(plugin, killed), { outcome: { by: 'exit', code: 137 } });
  });

  await t.test('limits, labels and confinement reach the engine', async (t) => {
    const limits = { cpuMillis: 250, memoryBytes: 64 * 1024 * 1024, pids: 20, diskBytes: 0 };
    const run = newRun(node, 'true', { limits, deadlineAt: 4_000_000_000_000 });
    await plugin.start(run);
    const [seen] = JSON.parse(engine.docker('inspect', nameOf(run)));
    t.match(seen.HostConfig, {
      NanoCpus: 250_000_000,
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      PidsLimit: 20,
      NetworkMode: 'none',
      Init: true,
      AutoRemove: false,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
    });
    t.same(seen.HostConfig.SecurityOpt, ['no-new-privileges']);
    t.ok(seen.HostConfig.CapDrop.includes('NET_RAW'));
    t.match(seen.Config.Labels, {
      'limpet.execution-id': run.spec.key.executionId,
      'limpet.run': '0',
      'limpet.node-id': node.nodeId,
      'limpet.instance-id': node.instanceId,
      'limpet.spec-hash': 'hash-1',
      'limpet.role': 'run',
      'limpet.owner': 'r-1',
      'limpet.token': '1.0.0',
      'limpet.kind': 'batch',
      'limpet.deadline': '4000000000000',
    });
  });

  await t.test('limits hold inside, and there is no network but loopback', async (t) => {
    const limits = { cpuMillis: 0, memoryBytes: 0, pids: 8, diskBytes: 0 };
    const script = 'ls /sys/class/net; for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait';
    const run = newRun(node, script, { limits });
    await plugin.start(run);
    await ended(plugin, run);
    const { stdout, stderr } = await readLog(plugin, run);
    t.equal(stdout, 'lo\n');
    t.match(stderr, /can't fork/);
  });

  await t.test('the network of the node is refused unless the operator allows it', async (t) => {
    const run = newRun(node, 'true', { network: 'host' });
    await t.rejects(plugin.start(run), {
      code: 'refused',
      message: /network 'host' is not allowed/,
    });
    const lax = await openPlugin(node, engine.host, { config: { networks: ['host'] } });
    await lax.start(run);
    t.match(await ended(lax, run), { outcome: { by: 'exit', code: 0 } });
  });

  await t.test('environment, folder, user and mounts are as asked', async (t) => {
    const folder = tempDir(t);
    mkdirSync(join(folder, 'out'), { mode: 0o777 });
    writeFileSync(join(folder, 'in'), 'input');
    const run = newRun(node, 'echo $A $B $(pwd) $(id -u) $(cat /in); echo x >/out/y; echo z >/in', {
      env: { A: 'task' },
      mounts: [
        { source: join(folder, 'in'), target: '/in', readOnly: true },
        { source: join(folder, 'out'), target: '/out', readOnly: false },
      ],
      params: { EnvironmentVariables: ['A=param', 'B=two'], WorkingDirectory: '/tmp' },
    });
    await plugin.start(run);
    await ended(plugin, run);
    const { stdout, stderr } = await readLog(plugin, run);
    t.equal(stdout, 'task two /tmp 0 input\n');
    t.match(stderr, /Read-only file system/);
    t.equal(readFileSync(join(folder, 'out/y'), 'utf8'), 'x\n');
  });

  await t.test(
    'a run that ignores TERM is killed after its grace, under the reason of the order',
    async (t) => {
      const run = newRun(node, "trap '' TERM; while :; do sleep 1; done");
      await plugin.start(run);
      const end = ended(plugin, run);
      await plugin.stop(run, {
        reason: 'asked by a person',
        by: 'stop',
        signal: 'SIGTERM',
        graceMs: 300,
      });
      await plugin.stop(run, { reason: 'too late', by: 'limit', signal: 'SIGKILL', graceMs: 0 });
      t.match(await end, {
        phase: 'exited',
        outcome: { by: 'stop', code: 137, reason: 'asked by a person' },
      });
    },
  );

  await t.test('a run that ends in its grace keeps its own code', async (t) => {
    const run = newRun(node, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    await plugin.start(run);
    for await (const chunk of plugin.logs(run).read('', AbortSignal.timeout(10_000)))
      if (chunk.stream === 'stdout') break;
    const end = ended(plugin, run);
    await plugin.stop(run, { reason: 'drain', by: 'stop', signal: 'SIGTERM', graceMs: 20_000 });
    t.match(await end, { outcome: { by: 'stop', code: 9, reason: 'drain' } });
  });

  await t.test('an order after the end changes nothing', async (t) => {
    const run = newRun(node, 'exit 3');
    await plugin.start(run);
    await ended(plugin, run);
    await plugin.stop(run, { reason: 'late', by: 'stop', signal: 'SIGTERM', graceMs: 0 });
    t.match(await plugin.observe(run), { outcome: { by: 'exit', code: 3 } });
  });

  await t.test('the deadline ends a run', async (t) => {
    const run = newRun(node, 'sleep 60', { deadlineAt: Date.now() + 700 });
    await plugin.start(run);
    t.match(await ended(plugin, run), { outcome: { by: 'limit', code: 143, reason: 'deadline' } });
  });

  await t.test('a paused container is seen as paused, and can be stopped', async (t) => {
    const run = newRun(node, 'sleep 60');
    await plugin.start(run);
    engine.docker('pause', nameOf(run));
    t.match(await plugin.observe(run), { phase: 'paused' });
    const end = ended(plugin, run);
    await plugin.stop(run, { reason: 'stop', by: 'stop', signal: 'SIGTERM', graceMs: 200 });
    t.match(await end, { phase: 'exited', outcome: { by: 'stop' } });
  });

  await t.test('remove ends and deletes, and twice is the same as once', async (t) => {
    const run = newRun(node, 'sleep 60');
    await plugin.start(run);
    await plugin.remove(run.spec.key);
    await plugin.remove(run.spec.key);
    t.equal(engine.docker('ps', '-aq', '--filter', `name=${nameOf(run)}`), '');
    t.match(await plugin.observe(run), { phase: 'absent', marked: true });
    t.match(
      await plugin.start(run),
      { phase: 'absent', marked: true },
      'a marked run is not made again',
    );
  });
});
