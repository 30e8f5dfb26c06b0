import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, scriptedAgent } from '../limpet-sdk/testing.js';

const command = [process.execPath, fileURLToPath(new URL('../src/main.js', import.meta.url))];

test('a script that ends is reported with its output and its code', async (t) => {
  const agent = await scriptedAgent({ command });
  t.after(() => agent.end());
  assert.equal((await agent.fingerprint()).health, 'healthy');
  const run = { executionId: 'e-1' };
  await agent.start({ ...run, params: { Script: 'echo hello; exit 3' } });
  const ended = await agent.wait(run);
  assert.equal(ended.outcome?.code, 3);
  assert.equal((await agent.logs(run, { follow: true })).stdout, 'hello\n');
});

test('a script goes on while the plugin is killed, and none of its output is lost or doubled', async (t) => {
  const agent = await scriptedAgent({ command });
  t.after(() => agent.end());
  const run = { executionId: 'e-1' };
  const Script = 'for i in 1 2 3 4 5 6; do echo "line $i"; sleep 0.5; done';
  await agent.start({ ...run, params: { Script } });
  await eventually('a line', async () => (await agent.logs(run)).stdout.startsWith('line 1\n'));
  await agent.kill9();
  await agent.respawn();
  assert.equal((await agent.recover(run)).phase, 'running');
  const ended = await agent.wait(run);
  assert.deepEqual([ended.outcome?.by, ended.outcome?.code], ['exit', 0]);
  const { stdout } = await agent.logs(run, { follow: true });
  assert.equal(stdout, 'line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n');
});

test('a stop ends a script that does not listen', async (t) => {
  const agent = await scriptedAgent({ command });
  t.after(() => agent.end());
  const run = { executionId: 'e-1' };
  await agent.start({
    ...run,
    params: { Script: 'trap "" TERM; echo up; while :; do sleep 1; done' },
  });
  await eventually('its word', async () => (await agent.logs(run)).stdout === 'up\n');
  await agent.stop(run, 1000);
  assert.equal((await agent.wait(run)).outcome?.by, 'stop');
});

test('params that the schema does not know are refused', async (t) => {
  const agent = await scriptedAgent({ command });
  t.after(() => agent.end());
  const params = { Skript: 'true' };
  await assert.rejects(agent.start({ executionId: 'e-1', params }), { code: 'refused' });
});
