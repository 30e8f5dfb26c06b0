/** One case of the matrix: a job is on its way, somebody dies at the point, all is started again, the world is looked at. */
import { jobReply } from '../../cli/api/models.ts';
import type { CrashPoint } from '../../core/crash-points.ts';
import { LimpetError } from '../../core/errors.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob } from '../kit/job-specs.ts';
import { isHandover, type CrashCase } from './cases.ts';
import { judge, LATE_MS, type Evidence } from './judge.ts';
import type { Lane } from './lane.ts';
import { readLedger, taskOf, type WorkOrder } from './work.ts';

const LINES = 8;
/** To be stopped long before its end. */
const LINES_OF_STOPPED = 300;
/** To run still when the new plugin is there. */
const LINES_OF_UPGRADED = 60;
const EVERY_MS = 100;
const SUBMIT_MS = 60_000;

/** With no agent there, these begin again only when the work is long over. */
const ENDS_UNSEEN = [
  'agent.effect.start.after:1',
  'agent.transition.before-commit:5',
  'plugin.start.launched:1',
  'plugin.exit.before-record:1',
  'plugin.exit.after-record:1',
];

/** Answers what is wrong afterwards: '' when nothing is. Rejects when the point was not reached, or the job does not end. */
export async function crashAt(
  lane: Lane,
  one: CrashCase,
  reached: (point: CrashPoint) => void,
): Promise<string> {
  const { name, folder } = lane.nextJob();
  const stops = one.point.startsWith('agent.effect.stop.');
  const upgrades = isHandover(one.point);
  const lines = stops ? LINES_OF_STOPPED : upgrades ? LINES_OF_UPGRADED : LINES;
  const order = { folder, lines, everyMs: EVERY_MS, code: one.code };
  await lane.arm(one);
  const submitting = submit(lane, name, order);
  // Awaited in the end; until then its failure is not to be taken for nobody's.
  submitting.catch(() => undefined);
  if (stops || upgrades) {
    const job = await submitting;
    await lane.cluster.running(job);
    await (stops ? lane.cluster.stop(job) : lane.upgrade());
  }
  await lane.reached(one);
  reached(one.point);
  await lane.strike(one);
  const unseen = one.victim !== 'plugin' && ENDS_UNSEEN.includes(`${one.point}:${one.passage}`);
  if (unseen) await untilLongOver(order);
  await lane.again(one);
  const evidence: Evidence = { order, job: await submitting, stopped: stops };
  return judge(lane, evidence);
}

/** As a client does that may get no answer: what is there under that name is its own. */
function submit(lane: Lane, name: string, order: WorkOrder): Promise<string> {
  const { cluster, executor } = lane;
  const job = batchJob(taskOf(executor, order), { Name: name });
  return eventually(
    `the submission of ${name}`,
    async () => {
      try {
        return (await cluster.api.get(`orchestrator/jobs/${name}`, jobReply)).Job.ID;
      } catch (thrown) {
        if (LimpetError.from(thrown).code !== 'not-found') throw thrown;
      }
      return cluster.submit(job);
    },
    SUBMIT_MS,
  );
}

async function untilLongOver({ folder }: WorkOrder): Promise<void> {
  await eventually(
    'the work to be long over',
    () => {
      const { entries, writtenAt } = readLedger(folder);
      return entries.includes('end') && Date.now() > writtenAt + LATE_MS + 100;
    },
    30_000,
  );
}
