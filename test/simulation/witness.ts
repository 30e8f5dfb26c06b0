/** Reads along what agent and requester make durable: an end is an end, told once. */
import { isTerminal, type ExecutionState } from '../../core/execution/states.ts';
import type { Ledger } from './ledger.ts';

interface Stored {
  readonly state: ExecutionState;
  readonly run: number;
  readonly outcome?: { readonly by: string; readonly code?: number; readonly reason: string };
}

export class Witness {
  readonly #ledger: Ledger;
  readonly #agent = new Map<string, Stored>();
  readonly #requester = new Map<string, Stored>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  agentWrote(key: string, text: string): void {
    if (key.startsWith('ex/')) this.#compare(this.#agent, key.slice(3), text, 'agent');
  }

  requesterWrote(key: string, text: string): void {
    if (key.startsWith('exec/')) this.#compare(this.#requester, key.slice(5), text, 'requester');
  }

  #compare(known: Map<string, Stored>, id: string, text: string, who: string): void {
    const after = JSON.parse(text.slice(8)) as Stored;
    const before = known.get(id);
    known.set(id, after);
    if (before === undefined || !isTerminal(before.state)) return;
    const told = ({ state, run, outcome }: Stored): string =>
      JSON.stringify([state, run, outcome?.by, outcome?.code, outcome?.reason]);
    if (told(before) !== told(after))
      this.#ledger.violation(
        `${id}: the ${who} changed its end from ${told(before)} to ${told(after)}`,
      );
  }
}
