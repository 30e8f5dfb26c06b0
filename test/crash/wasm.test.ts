import t from 'tap';
import { crashEverywhere } from './matrix.ts';

t.setTimeout(5_400_000);
await t.test('wasm', (t) =>
  crashEverywhere(t, { executor: 'wasm', config: { warm: 1, idleMs: 5_000 } }),
);
