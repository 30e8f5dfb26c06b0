/** What a command sees of the world; tests give their own. */
import type { Readable, Writable } from 'node:stream';

export interface Output extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Context {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly stdin: Readable;
  readonly stdout: Output;
  readonly stderr: Output;
  now(): number;
}

export function print(context: Context, text: string): void {
  context.stdout.write(`${text}\n`);
}

/** For what is not the answer itself: progress, warnings, hints. */
export function note(context: Context, text: string): void {
  context.stderr.write(`${text}\n`);
}
