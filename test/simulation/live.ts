/** One whole life of a simulated world, and what is wrong at its end. */
import { Cluster } from './cluster.ts';
import type { Coverage } from './crashes.ts';
import { play } from './play.ts';
import type { Script } from './script.ts';
import { verdict } from './verdict.ts';

/** Rejects with everything that is wrong. */
export async function live(given: Script, coverage: Coverage): Promise<Cluster> {
  const cluster = new Cluster(coverage, given);
  await play(cluster, given);
  const found = verdict(cluster, await cluster.rest());
  if (found.length > 0) throw new Error(found.join('\n'));
  return cluster;
}
