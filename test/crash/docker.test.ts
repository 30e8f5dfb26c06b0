import t from 'tap';
import { testEngine } from '../kit/engine.ts';
import { crashEverywhere } from './matrix.ts';

t.setTimeout(5_400_000);
const engine = await testEngine(t);
await t.test('docker', { skip: engine.skip }, (t) =>
  crashEverywhere(t, {
    executor: 'docker',
    config: { host: engine.host, pullPolicy: 'never' },
    engine: engine.host,
  }),
);
