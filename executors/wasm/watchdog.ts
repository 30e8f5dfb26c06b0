/** The watchdog thread of a runner; see runner.ts. It must keep working while the guest spins in the main thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { Verdict } from './verdict.ts';
import { Watchdog } from './watch.ts';

interface WorkerData {
  readonly settings: string;
  readonly shared: SharedArrayBuffer;
}

const main = parentPort;
if (main === null) throw new Error('the watchdog is a thread of the runner');
const { settings, shared } = workerData as WorkerData;
const { socket, idleMs } = JSON.parse(settings) as {
  readonly socket: string;
  readonly idleMs: number;
};

// Without its watchdog a guest would have no deadline: the process must not outlive an error here.
process.on('uncaughtException', () => process.kill(process.pid, 'SIGKILL'));

const watchdog = new Watchdog({
  socketPath: socket,
  idleMs,
  verdict: new Verdict(shared),
  begin: (assignment) => main.postMessage(assignment),
});
main.on('message', (message: 'ready' | 'ended') =>
  message === 'ready' ? watchdog.listen() : watchdog.leave(),
);
