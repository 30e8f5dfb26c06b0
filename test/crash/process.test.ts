import t from 'tap';
import { crashEverywhere } from './matrix.ts';

t.setTimeout(1_800_000);
await t.test('process', (t) => crashEverywhere(t, { executor: 'process' }));
