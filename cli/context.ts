/** What a command sees of the world; tests give their own. */
import type { Readable, Writable } from 'node:stream';
import { plainText } from './output/terminal-text.ts';

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
  context.stdout.write(`${forOutput(context.stdout, text)}\n`);
}

/** For what is not the answer itself: progress, warnings, hints. */
export function note(context: Context, text: string): void {
  context.stderr.write(`${forOutput(context.stderr, text)}\n`);
}

/** Names and reasons come from jobs: on a terminal they are text and nothing else. */
function forOutput(output: Output, text: string): string {
  return output.isTTY === true ? plainText(text) : text;
}
