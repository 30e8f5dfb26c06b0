/** Sends over a WebSocket as fast as its reader takes it, and no faster. */
import type { WebSocket } from 'ws';
import type { Clock } from '../../adapters/clock/port.ts';
import { STALL_MS } from './log-body.ts';

/** Its promises resolve when the connection has taken the message, or has ended; one that takes nothing for STALL_MS is ended. */
export function socketSender(
  socket: WebSocket,
  clock: Clock,
  onStall: () => void,
): (text: string) => Promise<void> {
  return (text) =>
    new Promise((resolve) => {
      const timer = clock.after(STALL_MS, () => {
        onStall();
        socket.terminate();
      });
      // What fails is heard of by the close of the socket.
      socket.send(text, () => {
        timer.cancel();
        resolve();
      });
    });
}
