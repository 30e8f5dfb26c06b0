import t from 'tap';
import { openMemoryStore, type MemoryRecords } from '../../adapters/store/memory-store.ts';
import { testStore } from './store-suite.ts';

testStore(t, () => {
  const records: MemoryRecords = new Map();
  return {
    open: (schemaVersion) => openMemoryStore(schemaVersion, records),
    async damage(key) {
      const text = records.get(key) ?? '';
      records.set(key, `${text.slice(0, -1)} `);
    },
  };
});
