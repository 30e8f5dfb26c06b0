import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dataFolder, ownDataFolder } from '../../cli/api/endpoint.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.test('commands take the own data folder, and without one the installed one', async (t) => {
  const folder = tempDir(t);
  const [home, installed, named] = ['home', 'installed', 'named'].map((name) => join(folder, name));
  const before = process.env['HOME'];
  process.env['HOME'] = home;
  t.teardown(() => {
    process.env['HOME'] = before;
  });
  const own = join(home ?? '', '.limpet');
  t.equal(dataFolder({}, undefined, installed), own, 'nothing is there');
  mkdirSync(installed ?? '');
  t.equal(dataFolder({}, undefined, installed), installed, 'only the installed one is there');
  t.equal(dataFolder({ LIMPET_DATA: named }, undefined, installed), named, 'the environment');
  t.equal(dataFolder({}, named, installed), named, 'the option');
  mkdirSync(own, { recursive: true });
  t.equal(dataFolder({}, undefined, installed), own, 'both are there');
  rmSync(own, { recursive: true });
  t.equal(ownDataFolder({}), own, '`limpet dev` never takes the installed one');
});
