import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { askAgent } from '../../cli/agent-socket.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { tickerJob } from '../kit/job-specs.ts';
import { processesOf } from '../kit/leftovers.ts';
import { makeRelease, unpack } from '../kit/release.ts';
import { InstalledHost, nameOf, otherVersion } from './install-kit.ts';

t.setTimeout(600_000);

const HELP = "if (process.argv.includes('--help')) process.exit(0);";
/** Ends at once; never says that it is ready. */
const BROKEN = `${HELP} console.error('no such luck'); process.exit(3);`;
const SILENT = `${HELP} setInterval(() => undefined, 1000);`;

const statusSchema = z.looseObject({
  pid: z.number(),
  version: z.string(),
  executors: z.array(z.looseObject({ name: z.string(), pid: z.number().optional() })),
  executions: z.array(z.looseObject({ id: z.string(), state: z.string() })),
});

t.test('an agent is upgraded, and back, while its work goes on', async (t) => {
  const cluster = await startCluster(t, { broker: 'embedded' });
  const host = new InstalledHost(t, join(cluster.folder, 'h'));
  const old = await unpack(await makeRelease(t, cluster.folder), join(cluster.folder, 'r'));
  const fresh = otherVersion(old, '0.1.1');
  const current = (): string => readlinkSync(host.at('opt/limpet/current'));
  const previous = (): string => readlinkSync(host.at('opt/limpet/previous'));
  const status = async () =>
    statusSchema.parse(await askAgent(host.at('var/lib/limpet/agent'), 'GET', '/status'));

  host.write('etc/limpet/agent.config.json', {
    executors: { docker: { enabled: false }, wasm: { config: { warm: 1, idleMs: 5_000 } } },
    capacity: { CPU: '16', Memory: '16Gi' },
  });
  const installed = await host.run(old, 'install', 'agent', '--join', cluster.broker.url);
  t.equal(installed.exit?.code, 0, installed.stderr);
  const execution = await cluster.running(await cluster.submit(tickerJob(3000)));
  const before = await status();
  const runners = before.executors.map(({ name, pid }) => ({ name, pid }));

  /** The same run in the same plugins, seen by another agent. */
  const goesOn = async (version: string): Promise<number> => {
    const now = await eventually(
      'the run to be adopted',
      async () => {
        const seen = await status();
        const runs = seen.executions.some(
          ({ id, state }) => id === execution && state === 'running',
        );
        return runs && seen.executors.every(({ pid }) => pid !== undefined) ? seen : undefined;
      },
      30_000,
    );
    t.equal(now.version, version);
    t.same(
      now.executors.map(({ name, pid }) => ({ name, pid })),
      runners,
      'the same plugins',
    );
    return now.pid;
  };

  const first = await host.run(old, 'agent', 'upgrade', fresh);
  t.equal(first.exit?.code, 0, first.stderr);
  t.equal(first.stdout, `limpet ${nameOf(fresh)} runs; before: ${nameOf(old)}, which is kept\n`);
  t.not(await goesOn('0.1.1'), before.pid);
  t.equal(current(), `versions/${nameOf(fresh)}`);
  t.equal(previous(), `versions/${nameOf(old)}`);

  const again = await host.run(old, 'agent', 'upgrade', fresh);
  t.equal(again.stdout, `limpet ${nameOf(fresh)} runs already; nothing to do\n`);

  const broken = otherVersion(old, '0.1.2', BROKEN);
  const failed = await host.run(old, 'agent', 'upgrade', broken);
  t.equal(failed.exit?.code, 1);
  t.match(
    failed.stderr,
    new RegExp(
      `^error: limpet ${nameOf(broken)} was not ready: systemctl restart limpet-agent.service: .*; ${nameOf(fresh)} runs again\n$`,
    ),
  );
  await goesOn('0.1.1');
  t.equal(current(), `versions/${nameOf(fresh)}`);
  t.equal(previous(), `versions/${nameOf(old)}`, 'as before the attempt');
  t.notOk(existsSync(host.at(`opt/limpet/versions/${nameOf(broken)}`)), 'it is not kept');

  const silent = otherVersion(old, '0.1.3', SILENT);
  const killed = await host.start(old, 'agent', 'upgrade', silent, '--timeout', '4s');
  await eventually(
    'the new version to be started',
    () =>
      current() === `versions/${nameOf(silent)}`
        ? host.text('run/systemctl/calls').trim().endsWith('restart limpet-agent.service')
        : false,
    60_000,
  );
  await killed.kill('SIGKILL');
  t.ok(existsSync(host.at('opt/limpet/upgrade.json')), 'the journal tells what was begun');
  const refused = await host.run(old, 'agent', 'upgrade', fresh, '--dry-run');
  t.match(
    refused.stderr,
    /^error: an upgrade to 0\.1\.3-[0-9a-f]{12} is not over: `limpet agent upgrade --resume` ends it\n$/,
  );
  const resumed = await host.run(old, 'agent', 'upgrade', '--resume');
  t.equal(resumed.exit?.code, 1);
  t.match(resumed.stderr, /not done within 4 s; 0\.1\.1-[0-9a-f]{12} runs again\n$/);
  await goesOn('0.1.1');
  t.notOk(existsSync(host.at('opt/limpet/upgrade.json')));

  const down = host.at(`opt/limpet/versions/${nameOf(old)}`);
  const downgraded = await host.run(fresh, 'agent', 'upgrade', down);
  t.equal(downgraded.exit?.code, 0, downgraded.stderr);
  await goesOn('0.1.0');
  t.equal(previous(), `versions/${nameOf(fresh)}`);
  t.same(readdirSync(host.at('opt/limpet/versions')).sort(), [nameOf(old), nameOf(fresh)].sort());

  const uninstalled = await host.run(old, 'uninstall');
  t.equal(uninstalled.exit?.code, 0, uninstalled.stderr);
  t.match(uninstalled.stderr, /^still running, with their work: processes \d+/m);
  t.notOk(existsSync(host.at('opt/limpet')));

  const anew = await host.run(fresh, 'install', 'agent');
  t.equal(anew.exit?.code, 0, anew.stderr);
  await goesOn('0.1.1');

  const purged = await host.run(fresh, 'uninstall', '--purge');
  t.equal(purged.exit?.code, 0, purged.stderr);
  t.same(processesOf(host.root), [], 'no run and no plugin is left');
  t.same(readdirSync(host.at('etc/systemd/system')), []);
  for (const gone of ['opt/limpet', 'etc/limpet', 'var/lib/limpet'])
    t.notOk(existsSync(host.at(gone)), gone);
});
