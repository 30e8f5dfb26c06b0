/** `limpet dev` in this terminal, from taking the folder to leaving it. */
import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { LimpetError } from '../../core/errors.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { banner } from './banner.ts';
import { Cluster } from './cluster.ts';
import { leaveFolder, takeFolder } from './dev-file.ts';
import type { DevFile } from './dev-file.ts';
import type { DevOptions } from './dev-options.ts';
import { speaker } from './line-output.ts';
import { isAlive, signalProcess } from './process-identity.ts';

const LEFT_OVER_MS = 15_000;
const POLL_MS = 50;

/** Resolves with the exit code when it was told to end; throws `conflict` when a dev runs on this folder. */
export async function runForeground(context: Context, options: DevOptions): Promise<number> {
  mkdirSync(options.data, { recursive: true, mode: 0o700 });
  const { own, left } = takeFolder(options.data);
  const end = new EndRequest();
  // A terminal that closed, or a reader that left, must not keep us from ending what we started.
  for (const stream of [context.stdout, context.stderr])
    stream.removeAllListeners('error').on('error', () => end.ask('the terminal is gone'));
  const cluster = new Cluster(context, options, own, (error) => {
    end.fail(error);
  });
  const say = speaker(context, 'dev');
  end.onSecond = () => {
    say('ending at once; running work may stay behind');
    cluster.kill();
  };
  try {
    if (left !== undefined) await endLeftOvers(left, say);
    const started = await Promise.race([cluster.start(), end.promise]);
    if (typeof started !== 'string') {
      const terminalData = context.env['LIMPET_DATA'] || undefined;
      print(context, `\n${banner(started, { data: options.data, detached: false, terminalData })}`);
      say(`${await end.promise}; ending everything`);
    }
    return 0;
  } finally {
    await cluster.stop();
    leaveFolder(options.data);
    end.close();
    say('ended');
  }
}

/** Programs of a dev that was killed: TERM leaves the agent's work to be found again. */
async function endLeftOvers(left: DevFile, say: (line: string) => void): Promise<void> {
  for (const [name, identity] of Object.entries(left.children).reverse()) {
    if (!signalProcess(identity, 'SIGTERM')) continue;
    say(`ending the ${name} that an earlier dev left behind (pid ${identity.pid})`);
    const deadline = performance.now() + LEFT_OVER_MS;
    while (isAlive(identity) && performance.now() < deadline) await delay(POLL_MS);
    if (isAlive(identity)) signalProcess(identity, 'SIGKILL');
  }
}

/** Ctrl-C, TERM, HUP or a program that cannot be kept alive. */
class EndRequest {
  readonly promise: Promise<string>;
  /** Asked to end a second time. */
  onSecond: () => void = () => undefined;
  #resolve: (why: string) => void = () => undefined;
  #reject: (error: LimpetError) => void = () => undefined;
  #asked = false;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.promise.catch(() => undefined);
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  ask(why: string): void {
    this.#asked = true;
    this.#resolve(why);
  }

  fail(error: LimpetError): void {
    this.#asked = true;
    this.#reject(error);
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#asked) this.onSecond();
    else this.ask(signal === 'SIGINT' ? 'Ctrl-C' : signal);
  };
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
