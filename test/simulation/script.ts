/** Scripts: what may happen to a simulated world, in any order and number, as fast-check makes and shrinks it. */
import fc from 'fast-check';
import { CRASH_POINTS } from '../../core/crash-points.ts';
import { LimpetError } from '../../core/errors.ts';
import { parseJobId } from '../../core/ids.ts';
import { submitJob } from '../../requester/jobs/submit.ts';
import type { Cluster } from './cluster.ts';
import type { Box } from './node.ts';

const LIMITS = { maxSpecBytes: 700_000, lease: { leastMs: 1_000, mostMs: 3_600_000 } };
const KINDS = ['batch', 'batch', 'batch', 'service'] as const;

const plan = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 50, max: 30_000 })),
  code: fc.constantFrom(0, 0, 0, 7),
  termMs: fc.option(fc.integer({ min: 1, max: 3_000 }), { nil: undefined }),
});

const submit = fc.record({
  type: fc.constant('submit' as const),
  kind: fc.constantFrom(...KINDS),
  executor: fc.constantFrom('held' as const, 'boxed' as const),
  runs: fc.array(plan, { minLength: 1, maxLength: 3 }),
  count: fc.constantFrom(1, 1, 2, 3),
  timeoutS: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
  restarts: fc.constantFrom(0, 0, 1, 3),
});

const away = fc.constantFrom(1, 20, 300, 2_000, 20_000, 70_000);
const which = fc.nat({ max: 7 });

const fate = fc.record(
  {
    lose: fc.constantFrom('request' as const, 'answer' as const),
    thereMs: fc.constantFrom(1, 2, 60, 700, 6_000),
    backMs: fc.constantFrom(1, 2, 60, 6_000),
    againMs: fc.constantFrom(0, 3, 200, 8_000, 40_000),
  },
  { requiredKeys: ['thereMs', 'backMs'] },
);

const step = fc.oneof(
  { weight: 6, arbitrary: submit },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('stop-job' as const), which }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('arm' as const),
      point: fc.constantFrom(...CRASH_POINTS),
      passage: fc.constantFrom(1, 1, 1, 2, 3, 5),
      awayMs: away,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('kill' as const),
      who: fc.constantFrom(
        'agent' as const,
        'requester' as const,
        'held' as const,
        'boxed' as const,
      ),
      awayMs: away,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('world' as const),
      what: fc.constantFrom('lose', 'kill', 'pause', 'resume'),
      which,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('fates' as const),
      fates: fc.array(fate, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('broker' as const), up: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('engine' as const), away: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('disk' as const),
      who: fc.constantFrom('agent' as const, 'requester' as const),
      full: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('pace' as const),
      stepMs: fc.constantFrom(1, 40, 700),
      claimMs: fc.constantFrom(1, 100, 900),
      removeMs: fc.constantFrom(0, 500, 5_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reboot' as const), awayMs: away }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      ms: fc.oneof(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 40, max: 2_500 }),
        fc.integer({ min: 2_500, max: 40_000 }),
      ),
    }),
  },
);

const timed = fc.record({ step, thenMs: fc.constantFrom(0, 0, 1, 2, 3, 7, 30, 300, 2_000) });

export const script = fc.record({
  seed: fc.nat(),
  first: submit,
  steps: fc.array(timed, { minLength: 1, maxLength: 24 }),
});

export type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;
type Step = Script['steps'][number]['step'];
type Submit = Script['first'];

export async function play(cluster: Cluster, { first, steps }: Script): Promise<void> {
  await cluster.start();
  apply(cluster, first);
  for (const { step: next, thenMs } of steps) {
    if (next.type === 'wait') await cluster.clock.advance(next.ms);
    else apply(cluster, next);
    await cluster.clock.advance(thenMs);
  }
}

function apply(cluster: Cluster, step: Exclude<Step, { type: 'wait' }>): void {
  switch (step.type) {
    case 'submit':
      return send(cluster, step);
    case 'stop-job': {
      const [key] = pick(cluster.disks.requester.read('job/'), step.which) ?? [];
      if (key !== undefined) cluster.stop(parseJobId(key.slice('job/'.length)));
      return;
    }
    case 'arm':
      return cluster.crashes.arm(step.point, step.passage, () => {
        if (step.point.startsWith('agent.')) cluster.agent.awayNext(step.awayMs);
        if (step.point.startsWith('requester.')) cluster.requester.awayNext(step.awayMs);
      });
    case 'kill':
      if (step.who === 'held' || step.who === 'boxed') cluster.plugins.get(step.who)?.life.end();
      else cluster[step.who].kill(step.awayMs);
      return;
    case 'world': {
      const box = pick(cluster.node.boxes, step.which);
      if (box !== undefined) meddle(cluster, box, step.what);
      return;
    }
    case 'fates':
      return cluster.broker.foretell(step.fates);
    case 'broker':
      cluster.broker.up = step.up;
      return;
    case 'engine':
      return cluster.setEngineAway(step.away);
    case 'disk':
      cluster.disks[step.who].full = step.full;
      return;
    case 'pace':
      Object.assign(cluster.node.pace, step);
      return;
    case 'reboot':
      return cluster.reboot(step.awayMs);
  }
}

function meddle({ node }: Cluster, box: Box, what: string): void {
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
