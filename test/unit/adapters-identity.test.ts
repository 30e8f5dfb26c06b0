import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  createIdentity,
  identityFile,
  loadIdentity,
  saveIdentity,
  type Identity,
} from '../../adapters/identity/identity-file.ts';
import { readMachineId } from '../../adapters/identity/machine-id.ts';
import { onThisMachine } from '../../agent/host.ts';
import { parseNodeId } from '../../core/ids.ts';
import { tempDir } from '../kit/temp-dir.ts';

const IDENTITY: Identity = {
  nodeId: parseNodeId('n-reef'),
  instanceId: 'i-1',
  machineId: 'm-1',
  generation: 0,
  createdAt: 1_700_000_000_000,
};

t.test('an identity is created once, saved again, and only its owner may read it', async (t) => {
  const folder = tempDir(t);
  t.equal(await loadIdentity(folder), undefined);
  await createIdentity(folder, IDENTITY);
  t.same(await loadIdentity(folder), IDENTITY);
  t.equal(statSync(identityFile(folder)).mode & 0o777, 0o600);
  await t.rejects(createIdentity(folder, IDENTITY), { code: 'already-exists' });
  await saveIdentity(folder, { ...IDENTITY, generation: 1 });
  t.equal((await loadIdentity(folder))?.generation, 1);
  t.same(readdirSync(folder), ['identity.json'], 'no temporary file stays');
});

t.test('a damaged identity is told from a missing one, with the field', async (t) => {
  const folder = tempDir(t);
  for (const text of ['', '{"v":1', '[]']) {
    writeFileSync(identityFile(folder), text);
    await t.rejects(loadIdentity(folder), { code: 'store-corrupt', message: /identity\.json/ });
  }
  writeFileSync(identityFile(folder), JSON.stringify({ v: 1, ...IDENTITY, generation: 'x' }));
  await t.rejects(loadIdentity(folder), { code: 'store-corrupt', message: /generation/ });
  writeFileSync(identityFile(folder), JSON.stringify({ v: 1, ...IDENTITY, nodeId: 'Reef' }));
  await t.rejects(loadIdentity(folder), { code: 'store-corrupt', message: /Reef/ });
});

t.test('a machine that is not known is none, in files of older programs too', async (t) => {
  const folder = tempDir(t);
  const { machineId: _, ...none } = IDENTITY;
  for (const machine of [{}, { machineId: 'unknown' }]) {
    writeFileSync(identityFile(folder), JSON.stringify({ v: 1, ...none, ...machine }));
    t.same(await loadIdentity(folder), { ...none, machineId: undefined });
  }
  await saveIdentity(folder, { ...none, machineId: undefined });
  t.match(readFileSync(identityFile(folder), 'utf8'), '"machineId": "unknown"', 'and written so');
});

t.test('only two machines that are both known are told apart', (t) => {
  const on = (known: string | undefined, here: string | undefined) =>
    onThisMachine({ ...IDENTITY, machineId: known }, here, '/data').machineId;
  t.equal(on('m-1', 'm-1'), 'm-1');
  t.equal(on('m-1', undefined), 'm-1', 'kept where none is known');
  t.equal(on(undefined, 'm-2'), 'm-2', 'noted where none was');
  t.throws(() => on('m-1', 'm-2'), { code: 'conflict', message: /adopt-host --data \/data/ });
  t.end();
});

t.test('what stands in a machine-id file before the first boot is no id', async (t) => {
  const file = join(tempDir(t), 'machine-id');
  for (const text of ['', '\n', 'uninitialized\n', '0'.repeat(32), 'two\nlines']) {
    writeFileSync(file, text);
    await t.rejects(readMachineId(file), { code: 'invalid-config' }, JSON.stringify(text));
  }
  await t.rejects(readMachineId(`${file}.none`), { code: 'invalid-config', message: /ENOENT/ });
  writeFileSync(file, 'abc\n');
  t.equal(await readMachineId(file), 'abc');
});

t.test('an identity of a newer program is refused', async (t) => {
  const folder = tempDir(t);
  writeFileSync(identityFile(folder), JSON.stringify({ v: 2, ...IDENTITY }));
  await t.rejects(loadIdentity(folder), { code: 'version-mismatch' });
});
