/**
 * Commands of this host, each held by a small shell script (`holder.sh`) that outlives this plugin.
 *
 * Limits: memory only where the operator asks for it (`limitAddressSpace`). CPU is not limited, nor is the number of processes (`ulimit -u` counts per user, not per run).
 * The command sees the host's files and network: this executor is for work that the operator trusts.
 */
import { constants } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  FolderBell,
  killSurvivors,
  LimpetError,
  observeHeld,
  isLive,
  isStopOrdered,
  orderDeadline,
  orderLease,
  orderStop,
  pause,
  rawSource,
  readClaim,
  readExit,
  removeFolder,
  survivors,
  type Executor,
  type ExecutorHost,
  type Fingerprint,
  type LogSource,
  type Observation,
  type RawName,
  type RunContext,
  type RunKey,
  type RunSpec,
  type StopOrder,
} from '../../plugins/sdk/index.ts';
import type { Account } from './account.ts';
import { carried, environmentOf } from './environment.ts';
import { HolderLook } from './holder-look.ts';
import { launchHolder } from './launch.ts';
import { marksOf } from './marks.ts';
import { findProgram, requireProgram } from './programs.ts';
import type { Params } from './settings.ts';
import {
  findStray,
  findStrays,
  observeStray,
  openOutput,
  strayedSpec,
  writeStray,
} from './strays.ts';
import { makeWorkFolder } from './work-folder.ts';

const LOOK_MS = 100;
/** Our own PATH for tools, the same as the holder's. */
const TOOL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ProcessExecutorPorts {
  readonly host: ExecutorHost;
  /** The plugin's own environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isAllowed: (name: string) => boolean;
  readonly limitAddressSpace: boolean;
  readonly account?: Account;
}

export class ProcessExecutor implements Executor<Params> {
  readonly #ports: ProcessExecutorPorts;

  constructor(ports: ProcessExecutorPorts) {
    this.#ports = ports;
  }

  async fingerprint(): Promise<Fingerprint> {
    if ((await findProgram('sh', '/bin')) === undefined)
      return { health: 'undetected', reason: 'there is no /bin/sh on this node' };
    if ((await findProgram('setsid', TOOL_PATH)) === undefined)
      return {
        health: 'healthy',
        reason: 'setsid is missing: stopping a run reaches its first process only',
      };
    return { health: 'healthy', reason: '' };
  }

  async prepare(spec: RunSpec<Params>): Promise<string> {
    await this.#check(spec);
    return '';
  }

  async start(run: RunContext<Params>): Promise<Observation> {
    const { host, account, limitAddressSpace } = this.#ports;
    await this.#check(run.spec);
    // What has begun may have put links into its folder by now: nothing is made there again.
    if (readClaim(run.folder) === undefined) {
      const start = await makeWorkFolder(run, account);
      if (run.spec.deadlineAt > 0) await orderDeadline(run.folder, run.spec.deadlineAt);
      const env = this.#environment(run.spec);
      await launchHolder(run, {
        env: carried(env, marksOf(host, run.spec)),
        start,
        limitAddressSpace,
        ...(account === undefined ? {} : { account }),
      });
    }
    host.reach('plugin.start.marked');
    return this.observe(run);
  }

  async observe(run: RunContext): Promise<Observation> {
    const { host } = this.#ports;
    const seen = observeHeld(run, host.processes);
    if (seen.marked) return seen;
    const stray = findStray(host, run.spec.key);
    // Whoever deletes a folder takes the claim and run.json one after the other. Without a claim of its own a process beside
    // a run.json is a holder that has yet to make it.
    const isOne = stray?.holder !== undefined || !existsSync(join(run.folder, 'run.json'));
    return stray !== undefined && isOne ? observeStray(stray, host.processes) : seen;
  }

  async rebuild(key: RunKey): Promise<RunSpec<Params> | undefined> {
    const { host } = this.#ports;
    const stray = findStray(host, key);
    if (stray === undefined) return undefined;
    await writeStray(host, stray);
    return strayedSpec(stray);
  }

  async list(): Promise<readonly Observation[]> {
    const { host } = this.#ports;
    const keys = await host.runFolders();
    const seen = await Promise.all(keys.map((key) => this.#observeFolder(key)));
    const strays = findStrays(host).map((stray) => observeStray(stray, host.processes));
    return [...seen.filter((one) => one !== undefined), ...strays];
  }

  /** A dead holder cannot end what it held: the plugin does, before the run counts as gone. */
  async supervise(run: RunContext<Params>, signal: AbortSignal): Promise<void> {
    const { host } = this.#ports;
    using bell = new FolderBell(run.folder);
    using holder = new HolderLook(host);
    while (!signal.aborted) {
      bell.reset();
      // Looked at before the exit record is: a holder writes that just before it dies.
      const look = holder.look(run);
      const seen = await this.observe(run);
      if (!isLive(seen)) return;
      const isHeld = look !== 'gone' || readExit(run.folder) !== undefined;
      if (!isHeld) killSurvivors(run.spec.key, host.processes);
      // A holder that somebody has stopped (SIGSTOP) cannot carry out an order.
      const isStuck = seen.phase === 'paused' && isStopOrdered(run.folder);
      if (isStuck)
        for (const one of survivors(run.spec.key, host.processes))
          host.processes.signal(one, 'SIGCONT');
      const pace = isStuck ? 'soon' : isHeld ? 'seldom' : 'often';
      await bell.wait(signal, { pace, news: () => holder.hasChanged() });
    }
  }

  logs(run: RunContext<Params>): LogSource {
    const hasEnded = async () => {
      const { phase } = await this.observe(run);
      return phase === 'exited' || phase === 'absent';
    };
    const elsewhere = (name: RawName) => openOutput(this.#ports.host, run, name);
    return rawSource({ folder: run.folder, hasEnded, elsewhere });
  }

  async stop(run: RunContext<Params>, order: StopOrder): Promise<void> {
    await orderStop(run.folder, order, constants.signals[order.signal]);
  }

  /** KILLs by nonce, a holder that has not claimed yet included: without its folder it cannot claim any more. */
  async remove(key: RunKey): Promise<void> {
    const { host } = this.#ports;
    await removeFolder(join(host.runFolder(key), 'work'));
    for (let tries = 0; survivors(key, host.processes).length > 0; tries++) {
      if (tries > 50)
        throw new LimpetError('engine-failed', `processes of run ${key.executionId} do not end`);
      killSurvivors(key, host.processes);
      await pause(LOOK_MS / 2);
    }
  }

  async renew(run: RunContext<Params>, untilMs: number): Promise<void> {
    await orderLease(run, untilMs);
  }

  async #check(spec: RunSpec<Params>): Promise<void> {
    const [program = ''] = spec.params.Command;
    await requireProgram(program, this.#environment(spec)['PATH'] ?? '');
  }

  #environment(spec: RunSpec<Params>): Record<string, string> {
    const { host, env, isAllowed } = this.#ports;
    return environmentOf(spec, { own: env, isAllowed, marks: marksOf(host, spec) });
  }

  /** undefined for a folder that holds nothing of a run (yet). */
  async #observeFolder(key: RunKey): Promise<Observation | undefined> {
    const { host } = this.#ports;
    const spec = await host.readRun(key).catch((thrown: unknown) => {
      host.log.error('run folder cannot be read', { folder: host.runFolder(key), error: thrown });
      return undefined;
    });
    return spec === undefined ? undefined : this.observe({ spec, folder: host.runFolder(key) });
  }
}
