/**
 * A plugin is killed in the middle of a call: as the call comes, and when all is done but the answer. Nothing is lost and
 * nothing is done twice, and no other plugin notices.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askAgent } from '../../cli/agent-socket.ts';
import { logEndSchema } from '../../cli/api/events.ts';
import { judge, type Evidence } from '../crash/judge.ts';
import { taskOf, type WorkOrder } from '../crash/work.ts';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines } from '../kit/job-specs.ts';
import { logEventSchema } from '../kit/log-events.ts';
import { distPath } from '../kit/program.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';

t.setTimeout(240_000);

const PROGRAM = distPath('fixtures/halting-plugin.js');
const MOMENTS = ['before', 'after'] as const;
/** Each has a plugin of its own, so that all of them are killed at once. */
const CALLS = [
  'configure',
  'prepare',
  'start',
  'recover',
  'list',
  'stop',
  'renew',
  'remove',
  'logs',
  'release',
] as const;
type Call = (typeof CALLS)[number];
/** What a new plugin does first. */
const AT_BEGIN: readonly Call[] = ['configure', 'list', 'recover'];

const SHORT = 8;
/** Still there when its plugin has been killed twice. */
const LONG = 60;
/** To be stopped long before its end. */
const ENDLESS = 3_000;
const EVERY_MS = 100;
const HALT_MS = 60_000;

class Victim {
  readonly call: Call;
  readonly #cluster: Cluster;
  readonly #agent: TestAgent;
  readonly #folder: string;
  #kills = 0;

  constructor(cluster: Cluster, agent: TestAgent, call: Call) {
    this.call = call;
    this.#cluster = cluster;
    this.#agent = agent;
    this.#folder = armFolder(cluster, call);
    mkdirSync(this.#folder);
    this.newVersion('1');
  }

  get kills(): number {
    return this.#kills;
  }

  arm(moment: string): void {
    writeFileSync(join(this.#folder, 'new'), `${this.call} ${moment}`);
    renameSync(join(this.#folder, 'new'), join(this.#folder, 'armed'));
  }

  /** Its program counts as another one from now on. */
  newVersion(version: string): void {
    writeFileSync(versionFile(this.#cluster, this.call), version);
  }

  async reconsidered(): Promise<void> {
    await askAgent(this.#agent.folder, 'POST', '/reload');
  }

  /** It stands still in the call; then it is killed. */
  async killedInside(): Promise<void> {
    const halted = join(this.#folder, 'halted');
    await eventually(`${this.call} to be reached`, () => existsSync(halted), HALT_MS);
    this.#kill(Number(readFileSync(halted, 'utf8')));
    rmSync(halted);
  }

  async kill(): Promise<void> {
    this.#kill(await this.#agent.pluginPid(this.call));
  }

  #kill(pid: number): void {
    process.kill(pid, 'SIGKILL');
    this.#kills += 1;
  }

  /** Work in a folder of its own, on the node and running unless told. */
  async begin(moment: string, count: number, more: JsonObject = {}): Promise<Evidence> {
    const order = this.order(moment, count);
    const job = await this.#cluster.submit(this.jobOf(order, more));
    await this.#cluster.running(job);
    return { order, job, stopped: false };
  }

  order(moment: string, count: number): WorkOrder {
    const folder = join(this.#cluster.folder, 'work', `${this.call}-${moment}`);
    mkdirSync(folder, { recursive: true });
    return { folder, lines: count, everyMs: EVERY_MS, code: moment === 'after' ? 7 : 0 };
  }

  jobOf(order: WorkOrder, more: JsonObject = {}): JsonObject {
    const task = taskOf('process', order) as { readonly Engine: JsonObject };
    return batchJob({ ...task, Engine: { ...task.Engine, Type: this.call } }, more);
  }
}

/** No file: it is no part of the program. */
function armFolder(cluster: Cluster, call: Call): string {
  return join(cluster.folder, `arm-${call}`);
}

function versionFile(cluster: Cluster, call: Call): string {
  return join(cluster.folder, `version-${call}`);
}

function addNode(cluster: Cluster): TestAgent {
  const off = { enabled: false };
  return cluster.addAgent({
    executors: { docker: off, wasm: off, process: off },
    plugins: CALLS.map((name) => ({
      name,
      command: [process.execPath, PROGRAM, armFolder(cluster, name), versionFile(cluster, name)],
    })),
  });
}

/** One job with its plugin killed in one call of it. Answers what has to be true of the job. */
async function killedIn(victim: Victim, moment: string, cluster: Cluster): Promise<Evidence> {
  if (AT_BEGIN.includes(victim.call)) {
    const work = await victim.begin(moment, LONG);
    await victim.kill();
    victim.arm(moment);
    await victim.killedInside();
    return work;
  }
  switch (victim.call) {
    case 'stop': {
      const work = await victim.begin(moment, ENDLESS);
      victim.arm(moment);
      await cluster.stop(work.job);
      await victim.killedInside();
      return { ...work, stopped: true };
    }
    case 'renew': {
      const leased = { Type: 'service', Disconnect: { StopAfter: '50s' } };
      const work = await victim.begin(moment, ENDLESS, leased);
      victim.arm(moment);
      await victim.killedInside();
      await cluster.stop(work.job);
      return { ...work, stopped: true };
    }
    case 'logs': {
      const work = await victim.begin(moment, LONG);
      victim.arm(moment);
      const followed = follow(cluster, work.job);
      await victim.killedInside();
      t.equal(await followed, lines(LONG), `logs ${moment}: who follows gets each line once`);
      return work;
    }
    case 'release': {
      const work = await victim.begin(moment, LONG);
      victim.arm(moment);
      victim.newVersion(`after ${moment}`);
      await victim.reconsidered();
      await victim.killedInside();
      return work;
    }
    default: {
      victim.arm(moment);
      const order = victim.order(moment, SHORT);
      const job = await cluster.submit(victim.jobOf(order));
      await victim.killedInside();
      return { order, job, stopped: false };
    }
  }
}

/** The output of a job as it comes, to its end. */
async function follow(cluster: Cluster, job: string): Promise<string> {
  let text = '';
  const query = { follow: true };
  for await (const { event, data } of cluster.api.events(`limpet/jobs/${job}/logs`, { query })) {
    if (event === 'end') {
      const { code, message } = logEndSchema.parse(JSON.parse(data));
      return code === 'finished' ? text : `${text}[${code}: ${message}]`;
    }
    if (event !== 'message') continue;
    const item = logEventSchema.parse(JSON.parse(data));
    if (item.stream !== 'stderr') text += Buffer.from(item.data, 'base64').toString();
  }
  return `${text}[broken off]`;
}

t.test('killed in each call', async (t) => {
  const cluster = await startCluster(t);
  const agent = addNode(cluster);
  const victims = CALLS.map((call) => new Victim(cluster, agent, call));
  await agent.start();
  const works = await Promise.all(
    victims.map(async (victim) => {
      const done: { readonly moment: string; readonly work: Evidence }[] = [];
      for (const moment of MOMENTS) {
        const work = await killedIn(victim, moment, cluster);
        done.push({ moment, work });
        await cluster.ended(work.job, 90_000);
      }
      return { victim, done };
    }),
  );
  for (const { victim, done } of works) {
    const { call, kills } = victim;
    const folder = armFolder(cluster, call);
    const judged = {
      ...{ cluster, agent, executor: call, engine: undefined },
      isPlugin: (command: string) => command.includes(`${PROGRAM} ${folder}`),
    };
    for (const { moment, work } of done)
      t.equal(await judge(judged, work), '', `${call} ${moment}`);
    // Who is killed as it is relieved has a successor already.
    const restarts = call === 'release' ? 0 : kills;
    await eventually(`${call} to be started again ${restarts} times`, async () => {
      const { executors } = await agent.ready();
      const seen = executors.find(({ name }) => name === call)?.['restarts'];
      if (seen === restarts) return true;
      throw new Error(`it was ${String(seen)} times`);
    });
  }
});
