/** Reads every record of a store and quarantines those whose checksum is wrong. */
import type { Store } from './port.ts';
import { compareKeys } from './record.ts';
import { SCHEMA_KEY } from './schema.ts';

const PAGE = 1_000;

/** Answers the keys of the records that it had to quarantine, the quarantine itself left out. */
export async function verifyRecords(store: Store): Promise<string[]> {
  const bad: string[] = [];
  let after: string | undefined;
  for (;;) {
    const { entries, corrupt } = await store.scan({
      prefix: '',
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    for (const record of corrupt) {
      if (record.key === SCHEMA_KEY) continue;
      bad.push(record.key);
      await store.quarantine(record);
    }
    if (entries.length < PAGE) return bad;
    after = entries.map(({ key }) => key).reduce((a, b) => (compareKeys(a, b) > 0 ? a : b));
  }
}
