/**
 * Takes away what is left of executions that are over, on positive evidence only and after a grace: their stored end,
 * acknowledged by the owner; the owner's word; an operator's order goes at once and needs no sweep. What merely has no
 * record is never touched: it is listed as kept, and the owner is asked about it.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionRecord } from '../../core/execution/record.ts';
import { isTerminal } from '../../core/execution/states.ts';
import { parseExecutionId } from '../../core/ids.ts';
import { removeFolder } from '../../adapters/durable/folders.ts';
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { ExecutorClient, RunRef } from '../plugins/port.ts';
import type { ExecutionEngine } from './engine.ts';
import type { AgentFolders } from './folders.ts';
import type { OwnerWords } from './sweep-words.ts';

export interface SweepDeps {
  readonly engine: ExecutionEngine;
  readonly folders: AgentFolders;
  readonly clock: Clock;
  readonly log: Logger;
  graceMs(): number;
  readonly words: OwnerWords;
  /** Every report has been acknowledged. */
  acknowledged(): boolean;
  /** Of an execution that is not in memory. */
  stored(executionId: string): Promise<ExecutionRecord | undefined>;
  /** Ready and recovered. */
  client(executor: string): ExecutorClient | undefined;
  swept(kind: string): void;
}

export interface Leftover {
  readonly kind: 'run' | 'inputs' | 'partial-results' | 'foreign';
  readonly executionId: string;
  /** A path, or an executor's run. */
  readonly what: string;
  /** Why it may go, or why it is kept. */
  readonly evidence: string;
}

export interface SweepReport {
  readonly dryRun: boolean;
  /** Removed, or what would be. */
  readonly swept: readonly Leftover[];
  readonly kept: readonly Leftover[];
}

interface Found extends Omit<Leftover, 'evidence'> {
  remove(): Promise<void>;
}

type Verdict = { readonly go: boolean; readonly evidence: string };

export class Sweep {
  readonly #deps: SweepDeps;

  constructor(deps: SweepDeps) {
    this.#deps = deps;
  }

  async run({ dryRun }: { readonly dryRun: boolean }): Promise<SweepReport> {
    const swept: Leftover[] = [];
    const kept: Leftover[] = [];
    const { log } = this.#deps;
    for (const one of [...(await this.#found()), ...this.#foreign()]) {
      const { kind, executionId, what } = one;
      const found = { kind, executionId, what };
      const verdict = await this.#judge(found);
      const { evidence } = verdict;
      try {
        if (verdict.go && !dryRun) await one.remove();
        (verdict.go ? swept : kept).push({ ...found, evidence });
      } catch (thrown) {
        const { message } = LimpetError.from(thrown);
        kept.push({ ...found, evidence: `${evidence}; but: ${message}` });
      }
    }
    if (!dryRun)
      for (const one of swept) {
        log.info('sweep.removed', { ...one });
        this.#deps.swept(one.kind);
      }
    return { dryRun, swept, kept };
  }

  async #judge({ kind, executionId }: Omit<Found, 'remove'>): Promise<Verdict> {
    const { clock, words } = this.#deps;
    const graceMs = this.#deps.graceMs();
    const after = (at: number, evidence: string): Verdict =>
      clock.now() - at >= graceMs
        ? { go: true, evidence }
        : { go: false, evidence: `${evidence}; within the grace of ${graceMs / 1000} s` };
    const live = [...this.#deps.engine.all()].find(
      ({ record }) => record.placement.executionId === executionId,
    )?.record;
    if (kind === 'foreign') return foreignVerdict(live, after);
    const record = live ?? (await this.#deps.stored(executionId).catch(() => undefined));
    if (record === undefined) {
      const endedAt = words.endedAt(executionId);
      return endedAt === undefined
        ? { go: false, evidence: 'no record, and no word of an owner: absence proves nothing' }
        : after(endedAt, 'its owner says that it has ended');
    }
    if (!isTerminal(record.state)) return { go: false, evidence: `it is ${record.state}` };
    if (!record.removed) return { go: false, evidence: `${record.state}, and being removed` };
    const text = `${record.state} at ${new Date(record.changedAt).toISOString()}`;
    return this.#deps.acknowledged()
      ? after(record.changedAt, `${text}, acknowledged by its owner`)
      : { go: false, evidence: `${text}; its report is not acknowledged yet` };
  }

  /** Folders of executions that do not run here any more. */
  async #found(): Promise<Found[]> {
    const { folders } = this.#deps;
    const runs = await Promise.all((await names(folders.runs)).map((name) => this.#runsOf(name)));
    const inputs = (await names(folders.inputs)).map((id) =>
      folder('inputs', id, join(folders.inputs, id)),
    );
    const partial = (await names(folders.results))
      .filter((name) => name.endsWith('.partial'))
      .map((name) =>
        folder('partial-results', name.slice(0, -'.partial'.length), join(folders.results, name)),
      );
    const all = [...runs.flat(), ...inputs, ...partial].filter((one) => isId(one.executionId));
    const busy = new Set(
      [...this.#deps.engine.all()].map(({ record }) => String(record.placement.executionId)),
    );
    const idle = all.filter(({ executionId }) => !busy.has(executionId));
    await this.#ask(idle);
    return idle;
  }

  /** By run folders, and by what the engine still shows. */
  async #runsOf(executor: string): Promise<Found[]> {
    const { folders } = this.#deps;
    const refs = new Map<string, RunRef>();
    for (const executionId of await names(join(folders.runs, executor)))
      for (const run of await names(join(folders.runs, executor, executionId)))
        refs.set(`${executionId}/${run}`, { executionId, run: Number(run) });
    const listed = await this.#deps.client(executor)?.list();
    for (const { executionId, run, ours, phase } of listed?.runs ?? [])
      if (ours && phase !== 'absent' && phase !== 'removing')
        refs.set(`${executionId}/${run}`, { executionId, run });
    return [...refs.values()].map((ref) => ({
      kind: 'run',
      executionId: ref.executionId,
      what: `${executor}: ${ref.executionId} run ${ref.run}`,
      remove: async () => {
        const plugin = this.#deps.client(executor);
        if (plugin === undefined)
          throw new LimpetError('unavailable', `executor ${executor} is not there to remove it`);
        await plugin.remove(ref, false);
      },
    }));
  }

  async #ask(found: readonly Found[]): Promise<void> {
    const lacking: string[] = [];
    for (const id of new Set(found.map(({ executionId }) => executionId)))
      if ((await this.#deps.stored(id).catch(() => undefined)) === undefined) lacking.push(id);
    this.#deps.words.ask(lacking);
  }

  /** Ended or never started, and its owner does not want it any more. */
  #foreign(): Found[] {
    const { engine } = this.#deps;
    return [...engine.all()]
      .filter(({ record }) => record.foreign !== undefined && !isTerminal(record.state))
      .map((live) => {
        const { executionId, task } = live.record.placement;
        return {
          kind: 'foreign',
          executionId,
          what: `${task.Engine.Type}: ${executionId} run ${live.record.run}`,
          remove: async () => {
            if (live.record.state === 'publishing') engine.runEffect(live, { type: 'publish' });
            else
              await engine.dispatch(executionId, {
                ...{ type: 'stop', by: 'stop', reason: 'its owner does not want it' },
              });
          },
        };
      });
  }
}

function foreignVerdict(
  record: ExecutionRecord | undefined,
  after: (at: number, evidence: string) => Verdict,
): Verdict {
  const answer = record?.foreign?.answer;
  if (answer === undefined || record === undefined)
    return { go: false, evidence: 'foreign: neither its owner nor an operator has answered' };
  const rests = record.state === 'publishing' || record.state === 'starting';
  if (answer.by === 'owner' && answer.word === 'stop' && rests)
    return after(answer.at, 'its owner, by a store that this node knew, says that it has ended');
  return { go: false, evidence: `foreign, ${record.state}; ${answer.word} (${answer.by})` };
}

function folder(kind: 'inputs' | 'partial-results', executionId: string, path: string): Found {
  const remove = (): Promise<void> => removeFolder(path);
  return { kind, executionId, what: path, remove };
}

function names(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

function isId(text: string): boolean {
  try {
    return parseExecutionId(text) === text;
  } catch {
    return false;
  }
}
