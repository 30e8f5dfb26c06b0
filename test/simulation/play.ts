/** Plays a script in a simulated world: each step is done to it, and then its time goes on. */
import { LimpetError } from '../../core/errors.ts';
import { parseJobId } from '../../core/ids.ts';
import { submitJob } from '../../requester/jobs/submit.ts';
import type { Cluster } from './cluster.ts';
import type { DiskCopy } from './disk.ts';
import type { Box } from './node.ts';
import type { Script, Step, Submit } from './script.ts';
import type { Site } from './site.ts';

const LIMITS = { maxSpecBytes: 700_000, lease: { leastMs: 1_000, mostMs: 3_600_000 } };

type Kill = Extract<Step, { type: 'kill' }>;

export async function play(cluster: Cluster, { first, steps }: Script): Promise<void> {
  await cluster.start();
  apply(cluster, first);
  const copies: DiskCopy[] = [];
  const copied = steps.some(({ step: { type } }) => type === 'set-back');
  for (const { step: next, thenMs } of steps) {
    if (copied) copies.push(cluster.disk.copy());
    if (next.type === 'wait') await cluster.clock.advance(next.ms);
    else if (next.type === 'set-back') {
      const copy = copies[Math.max(0, copies.length - 1 - next.steps)];
      if (copy !== undefined) cluster.setBack(copy, next);
    } else apply(cluster, next);
    await cluster.clock.advance(thenMs);
  }
}

function apply(cluster: Cluster, step: Exclude<Step, { type: 'wait' | 'set-back' }>): void {
  switch (step.type) {
    case 'submit':
      return send(cluster, step);
    case 'stop-job': {
      const [key] = pick(cluster.disk.read('job/'), step.which) ?? [];
      if (key !== undefined) cluster.stop(parseJobId(key.slice('job/'.length)));
      return;
    }
    case 'arm':
      return cluster.crashes.arm(step.point, step.passage, step.awayMs);
    case 'kill':
      return kill(cluster, step);
    case 'world': {
      const found = pick(cluster.boxes, step.which);
      if (found !== undefined) meddle(found[0], found[1], step.what);
      return;
    }
    case 'fates':
      return cluster.broker.foretell(step.fates);
    case 'broker':
      cluster.broker.up = step.up;
      return;
    case 'engine':
      return cluster.site(step.site).setEngineAway(step.away);
    case 'disk':
      (step.who === 'agent' ? cluster.site(step.site) : cluster).disk.full = step.full;
      return;
    case 'pace':
      Object.assign(cluster.site(step.site).node.pace, step);
      return;
    case 'reboot':
      return cluster.site(step.site).reboot(step.awayMs);
  }
}

function kill(cluster: Cluster, { who, site: index, awayMs }: Kill): void {
  const { plugins, agent } = cluster.site(index);
  if (who === 'requester') cluster.requester.kill(awayMs);
  else if (who === 'agent') agent.kill(awayMs);
  else plugins.get(who)?.life.end();
}

function meddle({ node }: Site, box: Box, what: string): void {
  if (box.flavour === 'boxed' && node.engineAway) return;
  if (what === 'pause') node.pause(box);
  else if (what === 'resume') node.resume(box);
  // A holder that is killed leaves no record; the engine keeps one of a container.
  else if (what === 'kill' && box.flavour === 'boxed') node.kill(box);
  else if (box.flavour === 'boxed' ? box.phase !== 'none' : box.copy !== undefined)
    node.loseByHand(box);
}

function pick<T>(all: readonly T[], index: number): T | undefined {
  return all.length === 0 ? undefined : all[index % all.length];
}

/** The answer may never come: then it is not known whether there is such a job. */
function send(cluster: Cluster, { kind, executor, runs, count, timeoutS, restarts }: Submit): void {
  const core = cluster.requester.running;
  if (core === undefined) return;
  const task = {
    Name: 'main',
    Engine: { Type: executor, Params: { runs } },
    Resources: { CPU: '0.1', Memory: '64Mb' },
    ...(timeoutS === undefined ? {} : { Timeouts: { ExecutionTimeout: timeoutS } }),
  };
  const RestartPolicy = { Attempts: restarts, Delay: '1s' };
  const job = { Type: kind, Count: count, RestartPolicy, Tasks: [task] };
  const submitted = async (): Promise<void> => {
    try {
      const { jobId } = await submitJob({ ...core, ...LIMITS }, job);
      cluster.answered.push(jobId);
    } catch (thrown) {
      const { code, message } = LimpetError.from(thrown);
      // The kind is not there yet, the disk is full, the requester is stopping.
      if (!['unimplemented', 'store-failed', 'unavailable'].includes(code))
        cluster.ledger.violation(`a job was refused: ${message}`);
    }
  };
  void submitted();
}
