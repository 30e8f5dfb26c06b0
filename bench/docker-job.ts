/**
 * A trivial Docker job, and the same container by raw calls to the same engine (create, start, wait, logs, remove), in
 * alternating pairs: the difference of the two medians is what Limpet adds.
 */
import { importBusybox } from '../fixtures/image/busybox.mjs';
import { engineHost } from './kit/cluster.ts';
import { figure, quantile } from './kit/figure.ts';
import { measure, print, say } from './kit/measure.ts';
import { containerTask, runRawContainer } from './kit/raw-container.ts';

const WARM_UP = 5;
const PAIRS = 30;
const AIM_MS = 25;

if (engineHost === undefined) {
  say('left out: no Docker engine');
  print([]);
} else {
  const host = engineHost;
  await importBusybox(host);
  await measure(
    async ({ jobs }) => {
      const ours: number[] = [];
      const raw: number[] = [];
      say(`${PAIRS} alternating pairs`);
      for (let i = -WARM_UP; i < PAIRS; i++) {
        const rawMs = await runRawContainer(host);
        const { ms } = await jobs.run(containerTask);
        if (i < 0) continue;
        raw.push(rawMs);
        ours.push(ms);
      }
      const difference = quantile(ours, 0.5) - quantile(raw, 0.5);
      return [
        figure('the same container by raw engine calls', { unit: 'ms', values: raw }),
        figure('trivial Docker job, submitted to completed', { unit: 'ms', values: ours }),
        {
          ...figure('Docker overhead: difference of the medians', {
            unit: 'ms',
            values: [difference],
            below: AIM_MS,
          }),
          samples: PAIRS,
        },
      ];
    },
    { executors: ['docker'] },
  );
}
