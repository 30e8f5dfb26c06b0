/**
 * Work whose engine died within its start: the engine that came after it shows the container as created and knows of no
 * process, though the work may have begun. Its processes are known by their cgroup, which bears the container's id.
 */
import { messageOf, pause, type ExecutorHost, type PluginLog } from '../../plugins/sdk/index.ts';

type Processes = ExecutorHost['processes'];

const LOOK_MS = 250;
/** Whoever may not signal them looks whether they have ended by themselves. */
const FORBIDDEN_LOOK_MS = 5_000;

/** How many processes of a container are alive on this host. */
export function survivorsOf(processes: Processes, containerId: string): number {
  return alive(processes, containerId).length;
}

export interface Ending {
  readonly processes: Processes;
  readonly log: PluginLog;
  readonly signal: AbortSignal;
}

/** KILLs them: the engine cannot stop them, nor show their output. Resolves when none is left, or with the signal. */
export async function endSurvivors(containerId: string, ending: Ending): Promise<void> {
  const { processes, log, signal } = ending;
  let told = false;
  for (;;) {
    const left = alive(processes, containerId);
    if (left.length === 0 || signal.aborted) return;
    if (!told) log.warn('survivors.ending', { containerId, processes: left.length });
    told = true;
    try {
      for (const one of left) processes.signal(one, 'SIGKILL');
      await pause(LOOK_MS, signal);
    } catch (thrown) {
      log.error('survivors.not-ended', { containerId, reason: messageOf(thrown) });
      await pause(FORBIDDEN_LOOK_MS, signal);
    }
  }
}

function alive(processes: Processes, containerId: string) {
  return processes
    .findByCgroup(containerId)
    .map((pid) => processes.identify(pid))
    .filter((identity) => identity !== undefined);
}
