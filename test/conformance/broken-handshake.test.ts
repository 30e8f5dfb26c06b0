import t from 'tap';
import { handshakeBreaks } from '../../fixtures/plugins/broken/breaks-handshake.ts';
import { eachBreakFails } from './broken-kit.ts';

t.setTimeout(300_000);

await t.test('a plugin that breaks a rule of handshake fails that rule', (t) =>
  eachBreakFails(t, 'handshake', handshakeBreaks),
);
