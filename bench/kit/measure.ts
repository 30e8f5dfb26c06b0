/** The frame of a bench file: opens a cluster, prints the figures as JSON for scripts/bench.mjs, leaves nothing behind. */
import { Cluster, type ClusterOptions } from './cluster.ts';
import type { Figure } from './figure.ts';

export async function measure(
  work: (cluster: Cluster) => Promise<readonly Figure[]>,
  options: ClusterOptions = {},
): Promise<void> {
  const cluster = await Cluster.open(options);
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        reject(new Error(`interrupted by ${signal}`));
      });
  });
  try {
    print(await Promise.race([work(cluster), interrupted]));
  } finally {
    await cluster.close();
  }
}

export function print(figures: readonly Figure[]): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** A line for people, while they wait. */
export function say(text: string): void {
  process.stderr.write(`   ${text}\n`);
}
