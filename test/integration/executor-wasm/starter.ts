/** A plugin of its own process, to be killed: starts one run and stays. Usage: starter.ts ROOT EXECUTION_ID WISH */
import { Bench, type RunWish } from './kit.ts';

const [root = '', executionId = '', wish = ''] = process.argv.slice(2);
const bench = new Bench({ teardown: () => undefined }, root);
const desk = await bench.open({ warm: 1 });
const run = bench.run(executionId, JSON.parse(wish) as RunWish);
await desk.executor.prepare(run.spec, () => undefined);
await desk.executor.start(run);
process.stdout.write('started\n');
setInterval(() => undefined, 60_000);
