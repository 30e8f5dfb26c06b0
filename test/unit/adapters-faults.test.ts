import { spawnSync } from 'node:child_process';
import t from 'tap';
import { envFaults, noFaults } from '../../adapters/faults/env-faults.ts';

t.setTimeout(120_000);

t.test('an armed point kills at its n-th passage only', (t) => {
  let kills = 0;
  const faults = envFaults({ LIMPET_CRASH_AT: 'plugin.start.marked:2' }, () => void (kills += 1));
  faults.reach('plugin.start.before');
  faults.reach('plugin.start.marked');
  t.equal(kills, 0);
  faults.reach('plugin.start.marked');
  faults.reach('plugin.start.marked');
  t.equal(kills, 1);
  t.end();
});

t.test('it kills, or stands still when told so', (t) => {
  const signals: string[] = [];
  for (const text of ['plugin.start.marked', 'plugin.start.marked:1:stop'])
    envFaults({ LIMPET_CRASH_AT: text }, (signal) => signals.push(signal)).reach(
      'plugin.start.marked',
    );
  t.same(signals, ['SIGKILL', 'SIGSTOP']);
  t.end();
});

t.test('nothing is armed without the variable; a wrong one is refused', (t) => {
  t.equal(envFaults({}), noFaults);
  t.equal(envFaults({ LIMPET_CRASH_AT: '' }), noFaults);
  const wrong = ['nowhere', 'plugin.start.marked:0', 'plugin.start.marked:x'];
  for (const text of [...wrong, 'plugin.start.marked:1:sleep'])
    t.throws(() => envFaults({ LIMPET_CRASH_AT: text }), { code: 'invalid-config' });
  t.end();
});

t.test('the kill is SIGKILL to oneself, before the next statement', (t) => {
  const module = new URL('../../adapters/faults/env-faults.ts', import.meta.url).href;
  const script = `import { envFaults } from '${module}'; envFaults(process.env).reach('plugin.start.before'); console.log('alive');`;
  const result = spawnSync(
    process.execPath,
    ['--import=tsx', '--input-type=module', '-e', script],
    {
      env: { PATH: process.env['PATH'], LIMPET_CRASH_AT: 'plugin.start.before' },
      encoding: 'utf8',
      timeout: 20_000,
    },
  );
  t.equal(result.signal, 'SIGKILL', result.stderr);
  t.equal(result.stdout, '');
  t.end();
});
