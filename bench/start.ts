/**
 * How long the agent takes from its start until every executor is ready, by its own clock (`readyMs` of its status):
 * cold (plugins are started) and reattaching (plugins are alive). Alternating, on one store.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { figure } from './kit/figure.ts';
import { measure, say } from './kit/measure.ts';

const ROUNDS = 12;
const REATTACH_AIM_MS = 400;
/** Until the plugins have done what they do after their own start. */
const CALM_MS = 1_500;

await measure(async (cluster) => {
  const cold: number[] = [];
  const reattached: number[] = [];
  const { executors } = await cluster.status();
  const names = executors.map(({ name }) => name).join(', ');
  say(`${ROUNDS} rounds with ${names}`);
  for (let round = 0; round < ROUNDS; round++) {
    await cluster.endAgent();
    cold.push((await cluster.startAgent()).readyMs ?? Number.NaN);
    await delay(CALM_MS);
    await cluster.killAgent();
    const status = await cluster.startAgent();
    if (!status.executors.every((executor) => executor.reattached))
      throw new Error('a plugin was started anew where it should have been reattached');
    reattached.push(status.readyMs ?? Number.NaN);
    await delay(CALM_MS);
  }
  return [
    figure(`agent start to ready, cold (${names})`, { unit: 'ms', values: cold }),
    figure('agent start to ready, reattaching', {
      unit: 'ms',
      values: reattached,
      below: REATTACH_AIM_MS,
    }),
  ];
});
