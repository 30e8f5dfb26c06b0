import t from 'tap';
import { crashAtEach, STORE_PARTS } from './crash-points.ts';

t.test('the agent dies around each thing that it writes', (t) =>
  crashAtEach(t, (part) => STORE_PARTS.includes(part)),
);
