/**
 * One chaos run:
 *
 *   start -> load and deeds, both out of the seed -> heal -> everything ends -> audit -> nothing is left
 */
import { readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../core/errors.ts';
import { eventually } from '../kit/eventually.ts';
import type { Teardown } from '../kit/teardown.ts';
import { Audit, type Finding } from './audit.ts';
import { DEEDS, doDeed, nextDeed, type Deed } from './deeds.ts';
import { Load } from './load.ts';
import { Random } from './random.ts';
import { nextWork, type Shares } from './work.ts';
import { World } from './world.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly agents: number;
  readonly docker: boolean;
  readonly underWay: number;
  readonly shares: Shares;
  /** No new job once this says so. */
  readonly enough: (jobs: number, elapsedMs: number) => boolean;
  /** From the last deed to the end of all jobs. */
  readonly healMs: number;
  readonly print: (line: string) => void;
}

export interface ChaosResult {
  readonly jobs: number;
  readonly findings: readonly Finding[];
  readonly line: string;
}

const REPORT_MS = 30_000;

export async function runChaos(t: Teardown, options: ChaosOptions): Promise<ChaosResult> {
  const { seed, agents, docker, print } = options;
  print(`seed ${seed}, ${agents} agents${docker ? ', a Docker engine' : ''}`);
  const world = await World.open(t, { agents, docker });
  const began = performance.now();
  const works = new Random(seed);
  const load: Load = new Load(world, {
    underWay: options.underWay,
    next: (n) => nextWork(works, n, world.ledgers, options.shares),
    more: () => !options.enough(load.accepted.length, performance.now() - began),
  });
  const stop = new AbortController();
  const loading = load.run(stop.signal);
  try {
    const done = await shake(world, load, options);
    for (const deed of DEEDS) if (done[deed] > 0) print(`${deed}: ${done[deed]}`);
    await Promise.all(world.agents.map((agent) => agent.ready()));
    await eventually(
      'all jobs to end',
      () => {
        if (load.open.length > 0)
          throw new Error(`${load.open.length}: ${load.open.slice(0, 5).join(', ')}`);
        return true;
      },
      options.healMs,
    ).catch((thrown: unknown) => print(messageOf(thrown)));
  } finally {
    stop.abort();
    await loading;
  }
  return audit(world, load, print);
}

/** Deeds, one after the other, as long as there is load. */
async function shake(
  world: World,
  load: Load,
  { seed, agents, docker, enough, print }: ChaosOptions,
): Promise<Record<Deed, number>> {
  const random = new Random(seed ^ 0x5eed);
  const began = performance.now();
  let reportAt = REPORT_MS;
  const done: Record<Deed, number> = Object.assign({}, ...DEEDS.map((deed) => ({ [deed]: 0 })));
  for (;;) {
    const elapsedMs = performance.now() - began;
    if (enough(load.accepted.length, elapsedMs)) return done;
    if (elapsedMs > reportAt) {
      print(
        `${Math.round(elapsedMs / 1000)} s: ${load.ended} of ${load.accepted.length} jobs over`,
      );
      reportAt += REPORT_MS;
    }
    const planned = nextDeed(random, agents, docker);
    if (await doDeed(world, planned)) done[planned.deed] += 1;
    await delay(planned.pauseMs);
  }
}

async function audit(
  world: World,
  load: Load,
  print: (line: string) => void,
): Promise<ChaosResult> {
  const auditor = new Audit(world);
  for (const accepted of load.accepted) await auditor.job(accepted);
  const { completed, failed, bereft, gapped } = auditor.tally;
  print(
    `jobs ${load.accepted.length}: completed ${completed}, failed by themselves ${failed}, lost by a kill and told so ${bereft}`,
  );
  if (gapped > 0) print(`log lines that an engine lost, told as gaps: ${gapped}`);
  const left = await leftovers(world);
  if (left !== undefined) print(`left over: ${left}`);
  for (const { kind, job, what } of auditor.findings) print(`${kind}: ${job}: ${what}`);
  print(auditor.line);
  const extra: Finding[] =
    left === undefined ? [] : [{ kind: 'lost', job: '', what: `left over: ${left}` }];
  return {
    jobs: load.accepted.length,
    findings: [...auditor.findings, ...extra],
    line: auditor.line,
  };
}

/** Run folders and executions that should be gone. */
async function leftovers(world: World): Promise<string | undefined> {
  const look = async (): Promise<string[]> => {
    const found = await Promise.all(
      world.agents.map(async (agent) => {
        const { executions, allocated } = await agent.status();
        const runs = join(agent.folder, 'runs');
        const folders = existsSync(runs)
          ? readdirSync(runs).flatMap((name) => readdirSync(join(runs, name)))
          : [];
        return [
          ...executions.map(({ id, state }) => `${id} is ${state}`),
          ...folders.map((id) => `the run folder of ${id}`),
          ...(allocated.cpuMillis === 0 ? [] : [`${allocated.cpuMillis} m CPU`]),
        ];
      }),
    );
    return found.flat();
  };
  try {
    await eventually(
      'nothing to be left',
      async () => {
        const left = await look();
        if (left.length > 0) throw new Error(left.slice(0, 5).join(', '));
        return true;
      },
      30_000,
    );
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
