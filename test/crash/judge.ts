/** The invariants of one case, each asked of whoever knows: the ledger, requester, agent, engine and the host itself. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { logEndSchema } from '../../cli/api/events.ts';
import { eventually } from '../kit/eventually.ts';
import { processesOf } from '../kit/leftovers.ts';
import type { Detail } from '../kit/cluster.ts';
import { logEventSchema } from '../kit/log-events.ts';
import { containersOf } from '../e2e/containers.ts';
import type { Lane } from './lane.ts';
import { outputOf, readLedger, type WorkOrder } from './work.ts';

export interface Evidence {
  readonly order: WorkOrder;
  readonly job: string;
  /** By its owner, before its end. */
  readonly stopped: boolean;
}

/** What is there to be asked. */
export interface Judged extends Pick<Lane, 'cluster' | 'agent' | 'engine' | 'isPlugin'> {
  readonly executor: string;
}

/** What the end of a run may be recorded late by; whoever has recorded the time of its own look is later than that. */
export const LATE_MS = 1_500;
/** The clock of file times ticks that slowly. */
const TICK_MS = 20;
const REMOVED_MS = 20_000;
const SETTLED_MS = 60_000;
const TERMINAL = ['completed', 'failed', 'cancelled', 'declined'];
const TOLD = /^Execution: (Completed|Failed|Cancelled|Stopped|Lost|Declined)/;

/** Answers what is wrong, '' when nothing is. */
export async function judge(lane: Judged, evidence: Evidence): Promise<string> {
  const { cluster, agent } = lane;
  const { state } = await cluster.ended(evidence.job);
  const execution = await cluster.endedExecution(evidence.job);
  await eventually(
    'the agent to have nothing left of it',
    async () => (await agent.status()).executions.length === 0,
    REMOVED_MS,
  );
  const faults = [
    ...verdictFaults(evidence, state, execution),
    ...ledgerFaults(evidence, execution),
    ...(await reportFaults(lane, evidence, execution)),
    ...(await logFaults(lane, evidence)),
    ...(await leftovers(lane, execution.id)),
  ];
  return faults.join('; ');
}

/** True exit code, in the same run. */
function verdictFaults({ order, stopped }: Evidence, state: string, execution: Detail): string[] {
  const { outcome, run } = execution;
  const ended = order.code === 0 ? ['Completed', 'completed'] : ['Failed', 'failed'];
  const wanted = [...(stopped ? ['Stopped', 'cancelled'] : ended), stopped ? 'stop' : 'exit', 0];
  const seen = [state, execution.state, outcome?.by, run];
  return [
    ...differs('job, execution, outcome, run', seen, wanted),
    ...(stopped ? [] : differs('exit code', outcome?.code, order.code)),
  ];
}

/** One copy, begun once, not repeated after its end, and the time of its end. */
function ledgerFaults({ order, stopped }: Evidence, execution: Detail): string[] {
  const { entries, writtenAt } = readLedger(order.folder);
  const { startedAt = NaN, finishedAt = NaN } = execution;
  const late = finishedAt - writtenAt;
  const inTime = late >= -TICK_MS && (stopped || late <= LATE_MS);
  return [
    ...differs('ledger', entries, stopped ? ['begin'] : ['begin', 'end']),
    ...(inTime ? [] : [`it finished ${late} ms after its end`]),
    ...(startedAt <= finishedAt ? [] : [`started at ${startedAt}, finished at ${finishedAt}`]),
  ];
}

/** One terminal report, and the same word of requester and agent. */
async function reportFaults(
  lane: Judged,
  evidence: Evidence,
  execution: Detail,
): Promise<string[]> {
  const ends = (events: Detail['events']) =>
    events
      .filter(({ from, to }) => TERMINAL.includes(to) && from !== to)
      .map(({ revision, from, to }) => `${revision} ${from} ${to}`);
  const requester = ends(execution.events);
  const agent = ends(await lane.agent.history(execution.id));
  const told = (await lane.cluster.told(evidence.job)).filter((line) => TOLD.test(line));
  return [
    ...differs('terminal events', requester.length, 1),
    ...differs("the requester's end", requester, agent),
    ...differs('ends told', told.length, 1),
  ];
}

/** Every byte once, in its stream, at its offset. */
async function logFaults(
  { cluster }: Judged,
  { order, job, stopped }: Evidence,
): Promise<string[]> {
  const read = { stdout: '', stderr: '', gap: '' };
  let offset = 0;
  const faults: string[] = [];
  for await (const { event, data } of cluster.api.events(`limpet/jobs/${job}/logs`, {})) {
    if (event === 'end') {
      const { code } = logEndSchema.parse(JSON.parse(data));
      faults.push(...differs('end of the log', code, 'finished'));
      break;
    }
    if (event !== 'message') continue;
    const piece = logEventSchema.parse(JSON.parse(data));
    const bytes = Buffer.from(piece.data, 'base64');
    faults.push(...differs('offset in the log', piece.offset, offset));
    offset += bytes.length;
    read[piece.stream] += bytes.toString();
  }
  const wanted = outputOf(order);
  faults.push(...differs('gaps in the log', read.gap, ''));
  if (!stopped) faults.push(...differs('the log', read, { ...wanted, gap: '' }));
  else if (!wanted.stdout.startsWith(read.stdout)) faults.push(`the log is ${read.stdout}`);
  return faults;
}

/** Nothing of the execution is there, its resources are free again, and there is one plugin as before. */
async function leftovers(lane: Judged, execution: string): Promise<string[]> {
  const { agent, executor } = lane;
  const status = await agent.status();
  const folders = ['runs', 'inputs']
    .map((name) => join(agent.folder, name, ...(name === 'runs' ? [executor] : []), execution))
    .filter(existsSync);
  const containers = lane.engine === undefined ? [] : await containersOf(lane.engine, execution);
  return [
    ...differs('allocated cpu', status.allocated.cpuMillis, 0),
    ...differs('foreign and quarantined', [...status.foreign, ...status.quarantined], []),
    ...differs('folders left', folders, []),
    ...differs('containers left', containers, []),
    ...differs('processes left', processesOf(execution), []),
    ...differs('plugins', await pluginsLeft(lane), 1),
  ];
}

/** An upgrade that was cut off may go on for a while after the work; how many there are then. */
async function pluginsLeft(lane: Judged): Promise<number> {
  const count = (): number =>
    processesOf(lane.agent.folder).filter(({ command }) => lane.isPlugin(command)).length;
  await eventually('one plugin', () => count() === 1, SETTLED_MS).catch(() => undefined);
  return count();
}

function differs(what: string, seen: unknown, wanted: unknown): string[] {
  const [a, b] = [seen, wanted].map((value) => JSON.stringify(value));
  return a === b ? [] : [`${what}: ${a}, not ${b}`];
}
