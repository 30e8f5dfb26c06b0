/**
 * Every crash point of the agent: it dies there by SIGKILL, is started again, and the job ends as if nothing had been,
 * its guest run exactly once. Two lanes, each with an agent of its own that goes from point to point.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { CRASH_POINTS } from '../../core/crash-points.ts';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, local, wasmTask } from '../kit/job-specs.ts';
import type { TestAgent } from '../kit/test-agent.ts';

/** accepted -> preparing -> starting -> running -> publishing -> completed -> removed. */
const TRANSITIONS = [1, 2, 3, 4, 5, 6];

const PASSAGES = CRASH_POINTS.filter((point) => point.startsWith('agent.')).flatMap((point) =>
  (point.startsWith('agent.transition.') ? TRANSITIONS : [1]).map((n) => ({
    point,
    passage: `${point}:${n}`,
  })),
);

/** Of the points' names; all others are of what it does. */
export const STORE_PARTS = ['placement', 'transition', 'link'];

const LANES = 2;
const DEAD_MS = 15_000;
const TICKS = 100;

interface Lane {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
  readonly name: string;
  /** A folder that jobs of this lane may write to. */
  readonly work: string;
}

/** What became of one crash, in words that say it all; '' when all is as it should be. */
type Verdict = string;

/** Goes through the points of these parts (`agent.PART.…`); the test files share them out. */
export async function crashAtEach(t: Test, wanted: (part: string) => boolean): Promise<void> {
  const cluster = await startCluster(t);
  const passages = PASSAGES.filter(({ point }) => wanted(point.split('.')[1] ?? ''));
  const queue = [...passages];
  const verdicts = new Map<string, Verdict>();
  const run = async (name: string): Promise<void> => {
    const lane = await openLane(cluster, name);
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      verdicts.set(next.passage, await crashAt(lane, next).catch((error) => spoilt(lane, error)));
  };
  await Promise.all(Array.from({ length: LANES }, (_, i) => run(`lane-${i}`)));
  t.not(passages.length, 0);
  for (const { passage } of passages) t.equal(verdicts.get(passage), '', passage);
}

async function openLane(cluster: Cluster, name: string): Promise<Lane> {
  const work = join(cluster.folder, `work-${name}`);
  mkdirSync(work);
  const config = { labels: { lane: name }, allowLocal: [{ path: work, writable: true }] };
  const agent = cluster.addAgent(config, name);
  await agent.start();
  return { cluster, agent, name, work };
}

/** One failure is not to hide the other points. */
async function spoilt({ agent }: Lane, error: unknown): Promise<Verdict> {
  await agent.kill();
  await agent.start();
  return String(error);
}

async function crashAt(
  lane: Lane,
  { point, passage }: (typeof PASSAGES)[number],
): Promise<Verdict> {
  const { agent } = lane;
  const plugin = await agent.pluginPid('wasm');
  await agent.kill();
  // A plugin that lives is reattached, and these points would not be passed.
  if (point.startsWith('agent.plugin.')) process.kill(plugin, 'SIGKILL');
  const program = await agent.launch({ LIMPET_CRASH_AT: passage });
  const finish = point.startsWith('agent.effect.stop.')
    ? await stoppedTicker(lane)
    : await writer(lane, passage);
  const exit = await program.waitForExit(DEAD_MS).catch(() => undefined);
  if (exit === undefined) await agent.kill();
  await agent.start();
  const verdict = await finish();
  await eventually(
    'the agent to have nothing left of it',
    async () => (await agent.status()).executions.length === 0,
  );
  if (exit === undefined) return `never reached within ${DEAD_MS} ms`;
  return exit.signal === 'SIGKILL' ? verdict : `it ended otherwise: ${JSON.stringify(exit)}`;
}

/** `write-output` makes a folder in its writable input; a second run of it finds that there, says so and fails. */
async function writer({ cluster, name, work }: Lane, passage: string) {
  const folder = join(work, passage);
  mkdirSync(folder);
  const task = wasmTask('write-output', ['/work', '5'], {
    InputSources: [local(folder, '/work', true)],
  });
  const job = await cluster.submit(batchJob(task, onlyOn(name)));
  return async (): Promise<Verdict> => {
    const { state } = await cluster.ended(job);
    const executions = await cluster.executions(job);
    const seen = {
      state,
      executions: executions.map((e) => `${e.state} run ${e.run}`),
      terminal: (await cluster.told(job)).filter((m) => m === 'Execution: Completed successfully')
        .length,
      stdout: await cluster.log(job),
      stderr: await cluster.log(job, 'stderr'),
      made: readdirSync(join(folder, 'made')),
    };
    return difference(seen, {
      state: 'Completed',
      executions: ['completed run 0'],
      terminal: 1,
      stdout: 'size 7\nentry data\n',
      stderr: '',
      made: ['data'],
    });
  };
}

async function stoppedTicker({ cluster, name }: Lane) {
  const task = wasmTask('ticker', [String(TICKS), '100']);
  const job = await cluster.submit(batchJob(task, onlyOn(name)));
  await cluster.running(job);
  await cluster.stop(job);
  return async (): Promise<Verdict> => {
    const { state } = await cluster.ended(job);
    const ended = await cluster.endedExecution(job);
    const stdout = await cluster.log(job);
    const seen = {
      state,
      execution: `${ended.state} run ${ended.run}`,
      once: lines(TICKS).startsWith(stdout),
    };
    return difference(seen, { state: 'Stopped', execution: 'cancelled run 0', once: true });
  };
}

function onlyOn(lane: string) {
  return { Constraints: [{ Key: 'lane', Operator: '=', Values: [lane] }] };
}

function difference(seen: object, wanted: object): Verdict {
  return JSON.stringify(seen) === JSON.stringify(wanted) ? '' : JSON.stringify(seen);
}
