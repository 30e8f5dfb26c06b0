/** The doctor's looks that need no program. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { unitFinding } from '../../agent/doctor/unit.ts';
import { fine, runChecks } from '../../adapters/doctor/check.ts';
import { cgroupVersion, nodeVersion } from '../../adapters/doctor/machine.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.test('old Node, old cgroups and a unit that kills its work are found', async (t) => {
  const look = async (check: ReturnType<typeof nodeVersion>) => (await runChecks([check]))[0];
  t.equal((await look(nodeVersion('20.10.0')))?.result, 'fail');
  t.equal((await look(nodeVersion('18.20.0')))?.result, 'fail');
  t.equal((await look(nodeVersion('20.11.0')))?.result, 'ok');
  t.equal((await look(nodeVersion('22.1.0')))?.result, 'ok');
  const root = tempDir(t);
  t.equal((await look(cgroupVersion(root)))?.found, 'version 1');
  mkdirSync(join(root, 'unified'));
  t.match((await look(cgroupVersion(root)))?.found, /^hybrid/);
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory\n');
  t.equal((await look(cgroupVersion(root)))?.found, 'version 2');

  const good = { LoadState: 'loaded', KillMode: 'process', OOMPolicy: 'continue', Delegate: 'no' };
  const unit = { name: 'a.service', user: false };
  const judge = (over: Readonly<Record<string, string>>, processExecutor = false) =>
    unitFinding(unit, new Map(Object.entries({ ...good, ...over })), processExecutor);
  t.equal(judge({}).result, 'ok');
  t.match(judge({}, true).found, /set Delegate=yes/);
  const bad = judge({ KillMode: 'control-group' });
  t.equal(bad.result, 'fail');
  t.match(bad.found, /KillMode=control-group.*set KillMode=process/);
  t.match(judge({ OOMPolicy: 'stop' }).found, /OOMPolicy=stop/);
  t.equal(judge({ LoadState: 'not-found' }).result, 'skipped');
});

t.test('a look that never ends is ended by its deadline, and the others are told', async (t) => {
  const never = { name: 'never', deadlineMs: 50, look: () => new Promise<never>(() => undefined) };
  const checks = await runChecks([never, { name: 'other', look: () => fine('there') }]);
  t.strictSame(
    checks.map(({ name, result, found }) => ({ name, result, found })),
    [
      { name: 'never', result: 'fail', found: 'no answer within 0.05 s' },
      { name: 'other', result: 'ok', found: 'there' },
    ],
  );
});
