/** Holds what was promised against what is there: the ledgers of the work, the requester's records, the nodes' histories. */
import { messageOf } from '../../core/errors.ts';
import type { Detail } from '../kit/cluster.ts';
import type { Accepted } from './load.ts';
import { auditLog } from './log-audit.ts';
import { readLedger } from './work.ts';
import type { World } from './world.ts';

export interface Finding {
  readonly kind: 'lost' | 'doubled' | 'out of order';
  readonly job: string;
  readonly what: string;
}

export interface Tally {
  completed: number;
  failed: number;
  /** Killed with their holder, and reported as lost. */
  bereft: number;
  /** Lines that an engine lost at its restart, each told as a gap. */
  gapped: number;
}

const ENDED = ['completed', 'failed'];

export class Audit {
  readonly findings: Finding[] = [];
  readonly tally: Tally = { completed: 0, failed: 0, bereft: 0, gapped: 0 };
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async job({ job, work }: Accepted): Promise<void> {
    const find = (kind: Finding['kind'], what: string): void => {
      this.findings.push({ kind, job: `${job} (${work.kind})`, what });
    };
    const all = await this.#world.cluster.executions(job).catch((thrown: unknown) => {
      find('lost', `the job cannot be read: ${messageOf(thrown)}`);
      return [];
    });
    const { state } = await this.#world.cluster.job(job).catch(() => ({ state: 'unknown' }));
    const ended = all.filter((execution) => ENDED.includes(execution.state));
    if (ended.length > 1) find('doubled', `${ended.length} results`);
    const result = ended[0];
    if (result === undefined) {
      find('lost', `it is ${state}, its executions are ${all.map((e) => e.state).join(', ')}`);
      return;
    }
    if ((result.state === 'completed') !== (state === 'Completed'))
      find('lost', `the job is ${state}, its execution ${result.state}`);
    this.#ledger({ job, work }, result, find);
    this.#events(result, find);
    await this.#atTheNode(result, find);
    if (result.outcome?.by === 'exit') await this.#log({ job, work }, find);
  }

  get line(): string {
    const count = (kind: Finding['kind']): number =>
      this.findings.filter((finding) => finding.kind === kind).length;
    return `lost ${count('lost')}, doubled ${count('doubled')}, out of order ${count('out of order')}`;
  }

  #ledger(
    { work }: Accepted,
    { id, state, outcome }: Detail,
    find: (kind: Finding['kind'], what: string) => void,
  ): void {
    const { starts, ends } = readLedger(work);
    if (starts > 1 || ends > 1) find('doubled', `${starts} starts, ${ends} ends`);
    const told = outcome === undefined ? state : `${state} by ${outcome.by} ${outcome.code ?? ''}`;
    if (outcome?.by === 'exit') {
      if (state === 'completed') this.tally.completed += 1;
      else this.tally.failed += 1;
      if (ends === 0) find('lost', `told ${told}, and the work has not ended`);
      if (outcome.code !== work.code) find('lost', `told ${told}; it ended with ${work.code}`);
      return;
    }
    this.tally.bereft += 1;
    const { bereft, struck } = this.#world;
    if (state === 'completed') find('lost', `told ${told} without an exit code`);
    if (!bereft.has(id) && !struck.has(work.kind))
      find('lost', `told ${told} ${outcome?.reason ?? ''}, and nobody killed it`);
  }

  /** Every step once, one after the other. */
  #events({ events }: Detail, find: (kind: Finding['kind'], what: string) => void): void {
    events.forEach(({ revision, from }, i) => {
      const before = events[i - 1];
      if (revision !== (before?.revision ?? 0) + 1)
        find('lost', `event ${revision} follows ${before?.revision ?? 'nothing'}`);
      else if (before !== undefined && from !== before.to)
        find(
          'out of order',
          `event ${revision} leaves ${from}, the one before it led to ${before.to}`,
        );
    });
  }

  async #atTheNode(
    { id, state, events }: Detail,
    find: (kind: Finding['kind'], what: string) => void,
  ): Promise<void> {
    for (const agent of this.#world.agents) {
      const history = await agent.history(id).catch(() => []);
      if (history.length === 0) continue;
      const last = history.at(-1)?.to;
      if (last !== state) find('lost', `${state} for its owner, ${last} on its node`);
      // The first is the placement itself; after the end there is only the removal.
      const told = history.filter(
        ({ from, to }) => from !== '' && !(from === to && ENDED.includes(to)),
      );
      if (told.length !== events.length)
        find('lost', `${events.length} of ${told.length} events have reached its owner`);
      return;
    }
    find('lost', 'no node knows it');
  }

  async #log(
    { job, work }: Accepted,
    find: (kind: Finding['kind'], what: string) => void,
  ): Promise<void> {
    try {
      const { finding, missing } = auditLog(await this.#world.cluster.logParts(job), work.lines);
      if (finding !== undefined) find(finding.kind, finding.what);
      this.tally.gapped += missing;
    } catch (thrown) {
      find('lost', `the log cannot be read: ${messageOf(thrown)}`);
    }
  }
}
