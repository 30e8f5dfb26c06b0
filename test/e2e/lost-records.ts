/** Takes the records of executions out of the store of an agent that does not run; everything else in it stays. */
import { join } from 'node:path';
import { Level } from 'level';

export async function loseRecords(agentFolder: string, execution = ''): Promise<void> {
  const db = new Level(join(agentFolder, 'store'), { createIfMissing: false });
  try {
    const keys = await db.keys().all();
    const lost = keys.filter((key) => /^(ex|ix|ev|end)\//.test(key) && key.includes(execution));
    if (lost.length === 0) throw new Error(`no records of ${execution} in ${agentFolder}`);
    await db.batch(
      lost.map((key) => ({ type: 'del', key }) as const),
      { sync: true },
    );
  } finally {
    await db.close();
  }
}
