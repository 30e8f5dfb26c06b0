/**
 * Runs that are processes of this host, each held by a small shell script (`holder.sh`) that outlives this plugin.
 *
 *   start --> work folder, deadline --> holder: claim --> command in its own session --> exit record
 *   stop, deadline, lease: files in the run folder, which the holder looks at once a second
 *   plugin gone: nothing changes; plugin back: the claim says which process it is, the output goes on where it was taken
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder } from '../../../adapters/durable/folders.ts';
import { LimpetError } from '../../../core/errors.ts';
import { FolderBell } from '../folder-bell.ts';
import { killSurvivors, observeHeld, orderLease, readExit, survivors } from '../held-run.ts';
import { pause } from '../pause.ts';
import type { RawName } from '../raw-files.ts';
import { rawSource } from '../raw-source.ts';
import { isStopOrdered, orderStop } from '../stop-order.ts';
import {
  isLive,
  type Executor,
  type ExecutorHost,
  type Fingerprint,
  type LogSource,
  type Observation,
  type Progress,
  type RunContext,
  type RunKey,
  type RunSpec,
  type StopOrder,
} from '../types.ts';
import { DEFAULT_PATH } from './environment.ts';
import { HolderLook } from './holder-look.ts';
import { findProgram } from './programs.ts';
import { checkHeld, spawnHeld } from './spawn-held.ts';
import {
  findStray,
  findStrays,
  observeStray,
  openOutput,
  strayedSpec,
  writeStray,
} from './strays.ts';
import type { HeldWork } from './types.ts';

const LOOK_MS = 100;

export interface HeldExecutorPorts<Params> {
  readonly host: ExecutorHost;
  /** The plugin's own environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly work: HeldWork<Params>;
}

/** The executor that `heldExecutor` makes, for a definition that has a `create` of its own. */
export class HeldExecutor<Params> implements Executor<Params> {
  readonly #ports: HeldExecutorPorts<Params>;

  constructor(ports: HeldExecutorPorts<Params>) {
    this.#ports = ports;
  }

  async fingerprint(): Promise<Fingerprint> {
    const { work } = this.#ports;
    if ((await findProgram('sh', '/bin')) === undefined)
      return { health: 'undetected', reason: 'there is no /bin/sh on this node' };
    const told: Fingerprint = (await work.fingerprint?.()) ?? { health: 'healthy', reason: '' };
    const isPlain = told.health === 'healthy' && told.reason === '';
    if (isPlain && (await findProgram('setsid', DEFAULT_PATH)) === undefined)
      return {
        ...told,
        reason: 'setsid is missing: stopping a run reaches its first process only',
      };
    return told;
  }

  async prepare(
    spec: RunSpec<Params>,
    progress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<string> {
    const { host, work, env } = this.#ports;
    if (work.prepare !== undefined) return work.prepare(spec, progress, signal);
    const run = { spec, folder: host.runFolder(spec.key) };
    await checkHeld(run, await work.command(run), env);
    return '';
  }

  async start(run: RunContext<Params>): Promise<Observation> {
    const { host, work, env } = this.#ports;
    await spawnHeld(host, run, await work.command(run), env);
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
    const { host, work } = this.#ports;
    const stray = findStray(host, key);
    if (stray === undefined || work.paramsOf === undefined) return undefined;
    await writeStray(host, stray);
    return strayedSpec(stray, work.paramsOf);
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
      if (!isHeld) killSurvivors(run.spec.key, host);
      // A holder that somebody has stopped (SIGSTOP) cannot carry out an order.
      const isStuck = seen.phase === 'paused' && isStopOrdered(run.folder);
      if (isStuck)
        for (const one of survivors(run.spec.key, host)) host.processes.signal(one, 'SIGCONT');
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
    await orderStop(run.folder, order);
  }

  /** KILLs by nonce, a holder that has not claimed yet included: without its folder it cannot claim any more. */
  async remove(key: RunKey): Promise<void> {
    const { host } = this.#ports;
    await removeFolder(join(host.runFolder(key), 'work'));
    for (let tries = 0; survivors(key, host).length > 0; tries++) {
      if (tries > 50)
        throw new LimpetError('engine-failed', `processes of run ${key.executionId} do not end`);
      killSurvivors(key, host);
      await pause(LOOK_MS / 2);
    }
  }

  async renew(run: RunContext<Params>, untilMs: number): Promise<void> {
    await orderLease(run, untilMs);
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
