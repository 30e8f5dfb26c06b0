import t from 'tap';
import { crashEverywhere } from './matrix.ts';

t.setTimeout(5_400_000);
await t.test('process', (t) => crashEverywhere(t, { executor: 'process' }));
