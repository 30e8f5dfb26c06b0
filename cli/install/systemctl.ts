/** The service manager of a host, by its own command. */
import { spawnSync } from 'node:child_process';
import { LimpetError } from '../../core/errors.ts';

/** A service says when it is ready; until then its start takes as long as its unit allows. */
const ACTION_MS = 15 * 60_000;
const QUESTION_MS = 30_000;

export interface UnitState {
  readonly active: boolean;
  readonly enabled: boolean;
}

export class Systemctl {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  state(unit: string): UnitState {
    const ask = (what: string): string => this.#run([what, unit], QUESTION_MS).stdout.trim();
    const active = ask('is-active');
    return {
      active: active === 'active' || active === 'activating' || active === 'reloading',
      enabled: ask('is-enabled') === 'enabled',
    };
  }

  reload(): void {
    this.#act(['daemon-reload']);
  }

  enable(unit: string): void {
    this.#act(['enable', unit]);
  }

  disable(unit: string): void {
    this.#act(['disable', unit]);
  }

  /** It is ready then. Errors: `unavailable`. */
  start(unit: string, timeoutMs = ACTION_MS): void {
    this.#act(['start', unit], timeoutMs);
  }

  /** The same. */
  restart(unit: string, timeoutMs = ACTION_MS): void {
    this.#act(['restart', unit], timeoutMs);
  }

  stop(unit: string): void {
    this.#act(['stop', unit]);
  }

  #act(args: readonly string[], timeoutMs = ACTION_MS): void {
    const { status, stderr, late } = this.#run(args, timeoutMs);
    if (late)
      throw new LimpetError(
        'timeout',
        `systemctl ${args.join(' ')}: not done within ${timeoutMs / 1000} s`,
      );
    if (status !== 0)
      throw new LimpetError(
        'unavailable',
        `systemctl ${args.join(' ')}: ${stderr.trim().split('\n')[0] || `exit ${status}`}`,
      );
  }

  #run(args: readonly string[], timeoutMs: number) {
    const { status, stdout, stderr, error } = spawnSync(this.#program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      env: { ...process.env, LC_ALL: 'C', SYSTEMD_PAGER: '' },
    });
    const code = error !== undefined && 'code' in error ? error.code : undefined;
    if (error !== undefined && code !== 'ETIMEDOUT')
      throw new LimpetError('unavailable', `${this.#program} cannot be run: ${error.message}`, {
        cause: error,
      });
    return { status, stdout, stderr, late: code === 'ETIMEDOUT' };
  }
}
