/**
 * Whether the engine still takes new calls. One that is stopped in good order gives that up first, then ends its containers,
 * and tells of their ends to whoever is connected.
 */
import { request } from 'node:http';

const ANSWER_MS = 2_000;

/** Never rejects; by a connection of its own, as those that are open are still served. */
export function takesCalls(host: string): Promise<boolean> {
  const options = {
    socketPath: host.slice('unix://'.length),
    path: '/_ping',
    agent: false,
    // Somebody else may hold the socket meanwhile, and answer nothing.
    timeout: ANSWER_MS,
  };
  return new Promise((resolve) => {
    const asked = request(options, (answer) => {
      answer.resume();
      resolve(true);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    // Also after the answer, when it changes nothing.
    asked.on('close', () => resolve(false));
    asked.end();
  });
}
