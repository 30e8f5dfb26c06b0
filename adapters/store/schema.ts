/** The store's schema version record; it lives in the store itself. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { Store } from './port.ts';

export const SCHEMA_KEY = 'meta/schema';
const SchemaRecord = z.object({ version: z.number().int().nonnegative() });

/**
 * Writes the version into a new or older store, and again when it cannot be read: every record tells its own version too.
 * Errors: `version-mismatch` (newer), `store-corrupt`.
 */
export async function checkSchema(store: Store, version: number): Promise<void> {
  const { entries, corrupt } = await store.scan({ prefix: SCHEMA_KEY, limit: 1 });
  for (const record of corrupt) await store.quarantine(record);
  const stored = entries[0]?.value;
  if (stored !== undefined) {
    const record = SchemaRecord.safeParse(stored);
    if (!record.success)
      throw new LimpetError(
        'store-corrupt',
        `record '${SCHEMA_KEY}' of the store is not understood`,
      );
    if (record.data.version > version)
      throw new LimpetError(
        'version-mismatch',
        `the store has schema version ${record.data.version}, this program knows ${version}; ` +
          `use the newer program, or a data folder of its own`,
      );
    if (record.data.version === version) return;
  }
  await store.batch([{ type: 'put', key: SCHEMA_KEY, value: { version } }]);
}
