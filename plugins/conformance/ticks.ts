/** What `long` prints: whether a line is missing, doubled or from a second start. */
import { demand } from './expect.ts';

/** Whole lines from `tick 0` on, each number once; the last line may be cut. */
export function demandTicks(stdout: string): void {
  const lines = stdout.split('\n').slice(0, -1);
  const wrong = lines.findIndex((line, index) => line !== `tick ${index}`);
  demand(
    wrong === -1,
    `line ${wrong + 1} of the log to be 'tick ${wrong}'`,
    `'${lines[wrong] ?? ''}' after '${lines[wrong - 1] ?? ''}'`,
  );
  demand(lines.length > 0, 'a log with lines', 'none');
}
