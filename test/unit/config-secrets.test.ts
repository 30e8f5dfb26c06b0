import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadAgentConfig } from '../../agent/config.ts';
import { LimpetError } from '../../core/errors.ts';
import { loadConfig } from '../../requester/config.ts';
import { tempDir } from '../kit/temp-dir.ts';

/** A password that is a number is the mistake of everyone who forgets the quotes. */
const MISTAKES = [
  { nats: { user: 'u', password: 86753090 } },
  { nats: { user: 'u', password: { is: '86753090' } } },
  { nats: [{ user: 'u', password: '86753090' }] },
];

t.test('a password is not shown in what is said of a wrong config', async (t) => {
  const file = join(tempDir(t), 'config.json');
  for (const mistake of MISTAKES) {
    writeFileSync(file, JSON.stringify(mistake));
    for (const load of [() => loadAgentConfig(file, undefined), () => loadConfig(file)]) {
      const { code, message } = LimpetError.from(
        await load().then(
          () => undefined,
          (thrown: unknown) => thrown,
        ),
      );
      t.equal(code, 'invalid-config');
      t.match(message, /nats(\.password)? is .*\(not shown\)/);
      t.notMatch(message, '86753090');
    }
  }
});
