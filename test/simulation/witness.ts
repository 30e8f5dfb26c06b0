/**
 * Reads along what agents and requester make durable: an end is an end, told once. It remembers what the requester has
 * written, also after its store was set back to an older copy.
 */
import { z } from 'zod';
import { isTerminal, type ExecutionState } from '../../core/execution/states.ts';
import type { Ledger } from './ledger.ts';

interface Stored {
  readonly state: ExecutionState;
  readonly run: number;
  readonly outcome?: { readonly by: string; readonly code?: number; readonly reason: string };
}

const jobSchema = z.object({
  spec: z.object({
    Type: z.string(),
    RestartPolicy: z.object({ Attempts: z.number().optional() }).optional(),
  }),
});
export type Job = z.infer<typeof jobSchema>['spec'];

const executionSchema = z.object({
  id: z.string(),
  jobId: z.string(),
  nodeId: z.string(),
  desired: z.enum(['run', 'stop']),
  placedAt: z.number(),
  token: z.object({ jobVersion: z.number(), partition: z.number(), attempt: z.number() }),
});

/** An execution as it was placed. */
export interface Placing extends z.infer<typeof executionSchema> {
  /** The start of the requester that placed it. */
  readonly by: Start;
}

/** A start of the requester. */
export interface Start {
  readonly at: number;
  /** Nodes that it had to hear of before it placed work of before; the others its store did not know or had given up. */
  readonly waitsFor: ReadonlySet<string>;
}

export class Witness {
  readonly ledger: Ledger;
  /** All that there ever were, by their id. */
  readonly jobs = new Map<string, Job>();
  readonly placings = new Map<string, Placing>();
  /** Executions that the requester has ever wanted to end. */
  readonly stopped = new Set<string>();
  readonly #agent = new Map<string, Stored>();
  #requester = new Map<string, Stored>();
  #start: Start = { at: 0, waitsFor: new Set() };

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  agentWrote(key: string, text: string): void {
    if (key.startsWith('ex/')) this.#compare(this.#agent, { id: key.slice(3), text, who: 'agent' });
  }

  requesterWrote(key: string, text: string): void {
    if (key.startsWith('job/') && !this.jobs.has(key.slice(4)))
      this.jobs.set(key.slice(4), jobSchema.parse(JSON.parse(text.slice(8))).spec);
    if (!key.startsWith('exec/')) return;
    this.#compare(this.#requester, { id: key.slice(5), text, who: 'requester' });
    const execution = executionSchema.parse(JSON.parse(text.slice(8)));
    const { id, desired } = execution;
    if (desired === 'stop') this.stopped.add(id);
    if (!this.placings.has(id)) this.placings.set(id, { ...execution, by: this.#start });
  }

  requesterStarts(start: Start): void {
    this.#start = start;
  }

  /** Its store is what it was before: what it told since then it has not told. */
  requesterSetBack(records: ReadonlyMap<string, string>): void {
    this.#requester = new Map();
    for (const [key, text] of records)
      if (key.startsWith('exec/'))
        this.#requester.set(key.slice(5), JSON.parse(text.slice(8)) as Stored);
  }

  #compare(
    known: Map<string, Stored>,
    { id, text, who }: { readonly id: string; readonly text: string; readonly who: string },
  ): void {
    const after = JSON.parse(text.slice(8)) as Stored;
    const before = known.get(id);
    known.set(id, after);
    if (before === undefined || !isTerminal(before.state)) return;
    const told = ({ state, run, outcome }: Stored): string =>
      JSON.stringify([state, run, outcome?.by, outcome?.code, outcome?.reason]);
    if (told(before) !== told(after))
      this.ledger.violation(
        `${id}: the ${who} changed its end from ${told(before)} to ${told(after)}`,
      );
  }
}
