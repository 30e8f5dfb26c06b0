/** Screens that remember, for tests of what shows a log. */
import { Readable, Writable } from 'node:stream';
import type { Context } from '../../cli/context.ts';
import { Screens } from '../../cli/logs/screens.ts';

const NO_COLOUR = { NO_COLOR: '1' };

export interface Shown {
  readonly screens: Screens;
  /** Of a command that writes here. */
  readonly context: Context;
  /** All that was written to both, in its order; of a terminal what a person sees before they are the same. */
  readonly both: () => string;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export interface ShownOptions {
  readonly isTTY?: boolean;
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Each piece is taken when it resolves. */
  readonly room?: () => Promise<unknown>;
}

export function shown({ isTTY = false, env = NO_COLOUR, room }: ShownOptions = {}): Shown {
  const all: { readonly name: string; readonly bytes: Buffer }[] = [];
  const output = (name: string) =>
    Object.assign(
      new Writable({
        write(bytes: Buffer, _encoding, done) {
          all.push({ name, bytes });
          if (room === undefined) done();
          else void room().then(() => done());
        },
      }),
      { isTTY },
    );
  const context = { stdout: output('stdout'), stderr: output('stderr'), env };
  const screens = new Screens(context);
  const textOf = (names: readonly string[]): string => {
    void screens.flush();
    const pieces = all.filter(({ name }) => names.includes(name)).map(({ bytes }) => bytes);
    return Buffer.concat(pieces).toString('latin1');
  };
  return {
    screens,
    context: { ...context, stdin: Readable.from([]), now: () => Date.now() },
    both: () => textOf(['stdout', 'stderr']),
    stdout: () => textOf(['stdout']),
    stderr: () => textOf(['stderr']),
  };
}
