import { readdirSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import {
  createIdentity,
  identityFile,
  loadIdentity,
  saveIdentity,
  type Identity,
} from '../../adapters/identity/identity-file.ts';
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

t.test('an identity of a newer program is refused', async (t) => {
  const folder = tempDir(t);
  writeFileSync(identityFile(folder), JSON.stringify({ v: 2, ...IDENTITY }));
  await t.rejects(loadIdentity(folder), { code: 'version-mismatch' });
});
