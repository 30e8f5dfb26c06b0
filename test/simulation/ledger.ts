/** What truly happened on the simulated node, which no program of it can see; and everything that must never happen. */
import type { RunRef } from '../../agent/plugins/port.ts';

export interface TrueRun {
  readonly executionId: string;
  readonly run: number;
  readonly startedAt: number;
  /** Absent while it lives; without a code it went without leaving one. */
  ended?: { readonly at: number; readonly code?: number };
}

export class Ledger {
  readonly runs: TrueRun[] = [];
  readonly violations: string[] = [];
  /** Runs to which something was done by hand that may lose them: killed without a trace, removed, host rebooted. */
  readonly #tampered = new Set<string>();

  violation(text: string): void {
    this.violations.push(text);
  }

  started({ executionId, run }: RunRef, at: number): TrueRun {
    const others = this.of(executionId);
    const live = others.find((one) => one.ended === undefined);
    if (live !== undefined)
      this.violation(`${executionId}: run ${run} started while run ${live.run} was alive`);
    if (others.some((one) => one.run === run))
      this.violation(`${executionId}: run ${run} started twice`);
    const entry: TrueRun = { executionId, run, startedAt: at };
    this.runs.push(entry);
    return entry;
  }

  of(executionId: string): readonly TrueRun[] {
    return this.runs.filter((one) => one.executionId === executionId);
  }

  tamper(ref: RunRef): void {
    this.#tampered.add(keyOf(ref));
  }

  isTampered(ref: RunRef): boolean {
    return this.#tampered.has(keyOf(ref));
  }
}

export function keyOf({ executionId, run }: RunRef): string {
  return `${executionId}/${run}`;
}
