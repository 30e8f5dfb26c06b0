/**
 * What a program tells the service manager that started it (sd_notify). Every call returns at once and never fails: news
 * that cannot be told is logged once and told again with the next.
 */
export interface ServiceManager {
  /** The start, or a reload, is over. `status`: one line for people. */
  ready(status: string): void;
  status(text: string): void;
  /** A reload begins; `ready` ends it. */
  reloading(): void;
  /** The program lets go now. From here on systemd gives it `TimeoutStopSec`: not to be told before long work is over. */
  stopping(status: string): void;
  /** A sign of life for the watchdog. */
  beat(): void;
  /** Without a beat for this long the program is killed and started anew, ms; undefined: nobody watches. */
  readonly watchdogMs: number | undefined;
}
