/**
 * Plugins that misbehave, each in its own way, beside a good one: what is told of them, at the node and at the requester,
 * and that nobody else notices.
 */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { procProcesses } from '../../adapters/processes/proc.ts';
import { nodePage } from '../../cli/api/models.ts';
import { pluginListSchema, type PluginFact } from '../../wire/plugins.ts';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import { distPath } from '../kit/program.ts';

t.setTimeout(240_000);

const LONG_MS = 60_000;
const MEBIBYTE = 1024 * 1024;
/** No beat is due while the test runs: what the requester hears, it was told at the change. */
const NO_BEATS = {
  heartbeatIntervalMs: 600_000,
  unknownAfterMs: 1_800_000,
  unhealthyAfterMs: 3_600_000,
};
/** Three seconds of silence are death. */
const pluginHealth = { everyMs: 500, slowMs: 1_000, deadMs: 3_000 };
const UNRULY = ['crashing', 'garbage', 'flooding', 'halted'] as const;
type Unruly = (typeof UNRULY)[number];
const JOBS = 5;
const processes = procProcesses();

class Site {
  readonly cluster: Cluster;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  folder(name: Unruly): string {
    return join(this.cluster.folder, `unruly-${name}`);
  }

  order(name: Unruly, what: string, text = ''): void {
    writeFileSync(join(this.folder(name), what), text);
  }

  /** As a person sees it. */
  async plugin(name: string): Promise<PluginFact> {
    const { stdout } = await this.cluster.ran('plugin', 'list', '-o', 'json');
    const found = pluginListSchema
      .parse({ plugins: JSON.parse(stdout) })
      .plugins.find((plugin) => plugin.name === name);
    if (found === undefined) throw new Error(stdout);
    return found;
  }

  /** What the requester would place work on; answers how long that took, ms. */
  async offered(name: string, expected: boolean): Promise<number> {
    const begin = performance.now();
    await eventually(
      `${name} to be ${expected ? '' : 'not '}offered`,
      async () => {
        const { Nodes } = await this.cluster.api.get('orchestrator/nodes', nodePage, {});
        const engines = Nodes.flatMap(({ Info }) => Info.ComputeNodeInfo?.ExecutionEngines ?? []);
        return engines.includes(name) === expected;
      },
      LONG_MS,
    );
    return Math.round(performance.now() - begin);
  }

  /** From the submission to the end of a job of the good plugin that does nothing; the slowest of some. */
  async slowest(): Promise<number> {
    let slowest = 0;
    for (let i = 0; i < JOBS; i++) {
      const begin = performance.now();
      const job = await this.cluster.submit(batchJob(processTask('true')));
      await this.cluster.ended(job, LONG_MS);
      slowest = Math.max(slowest, performance.now() - begin);
    }
    return Math.round(slowest);
  }
}

t.test('plugins that misbehave', async (t) => {
  const cluster = await startCluster(t, { requester: { nodes: NO_BEATS } });
  const site = new Site(cluster);
  for (const name of UNRULY) mkdirSync(site.folder(name));
  const off = { enabled: false };
  const agent = cluster.addAgent({
    executors: { docker: off, wasm: off, process: { enabled: true } },
    pluginHealth,
    plugins: UNRULY.map((name) => ({
      name,
      command: [process.execPath, distPath('fixtures/unruly-plugin.js'), site.folder(name)],
    })),
  });
  await agent.start();
  for (const name of UNRULY) await site.offered(name, true);
  const alone = await site.slowest();
  const log = join(agent.folder, 'plugins', 'flooding.log');
  const pids = new Map<string, number>();
  for (const name of [...UNRULY, 'process']) pids.set(name, await agent.pluginPid(name));
  const kill = (name: Unruly, signal: NodeJS.Signals): void =>
    void process.kill(pids.get(name) ?? NaN, signal);

  site.order('crashing', 'crash', 'warming up\nthere is no disk');
  kill('crashing', 'SIGKILL');
  t.comment(`${await site.offered('crashing', false)} ms until the requester knew of the crash`);
  site.order('garbage', 'garbage');
  kill('garbage', 'SIGKILL');
  site.order('flooding', 'flood', '24');
  kill('halted', 'SIGSTOP');
  await site.offered('halted', false);

  const beside = await site.slowest();
  t.comment(`a job beside them: ${beside} ms at most, before: ${alone} ms`);
  t.ok(beside < 4 * alone + 2_000, `${beside} ms beside them, ${alone} ms before`);

  const crashing = await eventually(
    'several tries',
    async () => {
      const now = await site.plugin('crashing');
      return now.restarts >= 3 && now.state === 'restarting' ? now : undefined;
    },
    LONG_MS,
  );
  t.match(crashing.reason, /ended with code 3 .*it said: there is no disk; next try in \d{1,2} s$/);
  const garbage = await eventually('a try', async () => {
    const now = await site.plugin('garbage');
    return now.state === 'restarting' ? now : undefined;
  });
  t.not(garbage.reason, '');
  t.comment(garbage.reason);

  await eventually(
    'the one that was halted to be replaced',
    async () => {
      const { state, pid } = await site.plugin('halted');
      return state === 'running' && pid !== pids.get('halted');
    },
    LONG_MS,
  );
  t.equal(processes.identify(pids.get('halted') ?? NaN)?.bootId, undefined, 'and ended');
  await eventually('the flood to be bounded', () => statSync(log).size <= 8 * MEBIBYTE, LONG_MS);
  t.match(await site.plugin('flooding'), { state: 'running', pid: pids.get('flooding') });
  const tail = await cluster.ran('plugin', 'logs', 'flooding', '-n', '3', '--raw');
  t.equal(tail.stdout.split('\n').length, 4, 'its newest lines are shown');

  rmSync(join(site.folder('crashing'), 'crash'));
  rmSync(join(site.folder('garbage'), 'garbage'));
  const now = await cluster.ran('plugin', 'restart', 'garbage');
  t.match(now.stdout, /^garbage: restarted, version \S+, pid \d+\n$/, 'tried now, and well');
  for (const name of ['crashing', 'garbage', 'halted'] as const)
    t.comment(`${name} is offered again, ${await site.offered(name, true)} ms`);
  t.match(await site.plugin('process'), { restarts: 0, pid: pids.get('process') });
  const { degraded } = await agent.status();
  t.strictSame(degraded, []);
});
