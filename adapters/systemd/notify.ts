/**
 * The service manager over `systemd-notify`, since Node has no unix datagrams. It is a child that waits until systemd has
 * read the message (so that its sender is still known), hence `NotifyAccess=all`; one at a time.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LimpetError } from '../../core/errors.ts';
import type { Logger } from '../log/port.ts';
import { Batches, type Batch } from './batches.ts';
import type { ServiceManager } from './port.ts';
import { silentService } from './silent.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const execute = promisify(execFile);
/** systemd-notify itself gives systemd 5 s. */
const CALL_MS = 10_000;
const STATUS_CHARS = 500;

/** Silent when NOTIFY_SOCKET is not set: by hand, in `limpet dev`, under another supervisor. */
export function serviceManager(env: Environment, log: Logger): ServiceManager {
  return (env['NOTIFY_SOCKET'] ?? '') === '' ? silentService : new SystemdNotify(env, log);
}

class SystemdNotify implements ServiceManager {
  readonly watchdogMs: number | undefined;
  readonly #env: Environment;
  readonly #log: Logger;
  readonly #waiting = new Batches();
  #telling = false;
  #failing = false;

  constructor(env: Environment, log: Logger) {
    this.#env = { NOTIFY_SOCKET: env['NOTIFY_SOCKET'], PATH: env['PATH'] };
    this.#log = log;
    this.watchdogMs = watchdogOf(env);
  }

  ready(status: string): void {
    this.#tell({ READY: '1', STATUS: oneLine(status) });
  }

  status(text: string): void {
    this.#tell({ STATUS: oneLine(text) });
  }

  reloading(): void {
    this.#tell({ RELOADING: '1' });
  }

  stopping(status: string): void {
    this.#tell({ STOPPING: '1', STATUS: oneLine(status) });
  }

  beat(): void {
    this.#tell({ WATCHDOG: '1' });
  }

  #tell(news: Readonly<Record<string, string>>): void {
    this.#waiting.add(news);
    if (!this.#telling) void this.#tellAll();
  }

  /** Ends when nothing waits, or at the first failure. */
  async #tellAll(): Promise<void> {
    this.#telling = true;
    for (let batch = this.#waiting.take(); batch !== undefined; batch = this.#waiting.take()) {
      if (await this.#send(batch)) continue;
      this.#waiting.putBack(batch);
      break;
    }
    this.#telling = false;
  }

  async #send(batch: Batch): Promise<boolean> {
    try {
      const words = [...batch].map(([name, value]) => `${name}=${value}`);
      await execute('systemd-notify', words, {
        env: { ...this.#env },
        timeout: CALL_MS,
        killSignal: 'SIGKILL',
      });
      this.#failing = false;
      return true;
    } catch (thrown) {
      const { message } = LimpetError.from(thrown);
      if (!this.#failing) this.#log.warn('systemd.not-told', { reason: oneLine(message) });
      this.#failing = true;
      return false;
    }
  }
}

/** Of another process when WATCHDOG_PID is. */
function watchdogOf(env: Environment): number | undefined {
  const pid = env['WATCHDOG_PID'] ?? '';
  const micros = Number(env['WATCHDOG_USEC']);
  if (pid !== '' && pid !== String(process.pid)) return undefined;
  return Number.isFinite(micros) && micros > 0 ? micros / 1000 : undefined;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, STATUS_CHARS);
}
