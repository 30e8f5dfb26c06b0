/** Crash points of the simulation: armed by the script, and counted when a process has died there. */
import type { Faults } from '../../adapters/faults/port.ts';
import type { CrashPoint } from '../../core/crash-points.ts';
import { SIMULATED_POINTS } from './points.ts';
import type { Life } from './life.ts';

/** How often each point has ended a process, over all worlds of a test. */
export class Coverage {
  readonly crashed = new Map<CrashPoint, number>(SIMULATED_POINTS.map((point) => [point, 0]));

  count(point: CrashPoint): void {
    this.crashed.set(point, (this.crashed.get(point) ?? 0) + 1);
  }

  get missing(): readonly CrashPoint[] {
    return SIMULATED_POINTS.filter((point) => this.crashed.get(point) === 0);
  }
}

interface Armed {
  readonly point: CrashPoint;
  readonly awayMs: number;
  left: number;
}

export class Crashes {
  readonly #coverage: Coverage;
  #armed: Armed[] = [];

  constructor(coverage: Coverage) {
    this.#coverage = coverage;
  }

  /** The process that passes there for the n-th time dies, and is told just before how long for. */
  arm(point: CrashPoint, passage: number, awayMs: number): void {
    this.#armed.push({ point, left: passage, awayMs });
  }

  disarm(): void {
    this.#armed = [];
  }

  of(life: Life, dies: (awayMs: number) => void = () => undefined): Faults {
    return {
      reach: (point) => {
        if (!life.alive) return;
        const passed = this.#armed.filter((one) => one.point === point);
        for (const one of passed) one.left -= 1;
        const due = passed.find((one) => one.left <= 0);
        if (due === undefined) return;
        this.#armed = this.#armed.filter((one) => one !== due);
        this.#coverage.count(point);
        dies(due.awayMs);
        life.end();
      },
    };
  }
}
