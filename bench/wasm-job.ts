/**
 * From the submission of a trivial WASM job to the news that it has completed: one PUT, then the job's event stream. One
 * job at a time, with a rest before each, so that a runner is warm; `throughput` shows what happens without rests.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { figure } from './kit/figure.ts';
import { wasmTask } from './kit/jobs.ts';
import { measure, say } from './kit/measure.ts';

const WARM_UP = 30;
const SAMPLES = 150;
const REST_MS = 200;
const AIM_MS = 25;

await measure(
  async ({ jobs }) => {
    const task = wasmTask('hello');
    for (let i = 0; i < WARM_UP; i++) await jobs.run(task);
    say(`${SAMPLES} jobs, one at a time, ${REST_MS} ms of rest before each`);
    const values: number[] = [];
    for (let i = 0; i < SAMPLES; i++) {
      await delay(REST_MS);
      values.push((await jobs.run(task)).ms);
    }
    const name = 'trivial WASM job, submitted to completed';
    return [figure(name, { unit: 'ms', values, below: AIM_MS })];
  },
  { executors: ['wasm'] },
);
