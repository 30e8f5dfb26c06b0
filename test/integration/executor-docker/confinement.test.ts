import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { testEngine } from '../../kit/engine.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newRun, openPlugin, readLog } from './node.ts';
import { onePlugin } from './one-plugin.ts';
import { nameOf } from './raw-engine.ts';

t.setTimeout(300_000);

const engine = await testEngine(t);

void t.test('a run is confined', { skip: engine.skip }, async (t) => {
  const { node, raw, plugin } = await onePlugin(t, engine.host);

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
    const seen = await raw.getContainer(nameOf(node, run)).inspect();
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
});
