import { join } from 'node:path';
import { Level } from 'level';
import t from 'tap';
import { openStore } from '../../adapters/store/level-store.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { testStore } from './store-suite.ts';

testStore(t, (t) => {
  const folder = join(tempDir(t), 'db');
  return {
    open: (schemaVersion = 1) => openStore({ folder, createIfMissing: true, schemaVersion }),
    async damage(key) {
      const db = new Level<string, string>(folder, { createIfMissing: false });
      await db.put(key, `${(await db.get(key)).slice(0, -1)} `);
      await db.close();
    },
  };
});
