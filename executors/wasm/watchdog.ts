/** The watchdog thread of a runner; see runner.ts. It must keep working while the guest spins in the main thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { Watchdog, type RunnerSettings, type ToWatchdog } from './watch.ts';

const main = parentPort;
if (main === null) throw new Error('the watchdog is a thread of the runner');
const { socket, idleMs } = workerData as RunnerSettings;

// Without its watchdog a guest would have no deadline: the process must not outlive an error here.
process.on('uncaughtException', () => process.kill(process.pid, 'SIGKILL'));

const watchdog = new Watchdog({
  socketPath: socket,
  idleMs,
  begin: (begin) => main.postMessage(begin),
});
main.on('message', (message: ToWatchdog) => {
  if (message === 'ready') watchdog.listen();
  else if (message === 'lost') watchdog.leave();
  else watchdog.release(message.record);
});
