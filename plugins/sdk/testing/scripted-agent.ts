import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fingerprint } from '../types.ts';
import { seenFingerprint, seenRun } from './from-wire.ts';
import { PluginDriver } from './plugin-driver.ts';
import type { TestRun, TestRunKey } from './run.ts';
import type { SeenRun } from './seen-run.ts';

export interface ScriptedAgentOptions {
  /** The plugin: program and arguments, for example `[process.execPath, 'src/main.js']`. */
  readonly command: readonly string[];
  /** Its working folder; that of the test when missing. */
  readonly cwd?: string;
  /** The plugin's section of the agent's config; an empty object when missing. */
  readonly config?: unknown;
  /** Variables of the plugin beside PATH and HOME; it gets no others of the test's. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Output of an execution. */
export interface SeenLog {
  /** stdout and stderr in the order in which they were read. */
  readonly text: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Nothing follows any more. */
  readonly end: boolean;
  /** The offset to read on from. */
  readonly next: number;
}

const DEADLINE_MS = 10 * 60_000;

/**
 * Starts the plugin as an agent would, in a temporary folder, and configures it. `end` is to be called whatever becomes of
 * the test: `test.after(() => agent.end())`. Errors: what the plugin says on stderr when it does not start within 20 s;
 * LimpetError `invalid-config` when it refuses the config.
 */
export async function scriptedAgent(options: ScriptedAgentOptions): Promise<ScriptedAgent> {
  const agent = ScriptedAgent.of(options);
  try {
    await agent.respawn();
    return agent;
  } catch (thrown) {
    await agent.end();
    throw thrown;
  }
}

/**
 * An agent by script: it talks to one plugin program over the real wire, kills it and starts it again on the same folders.
 * Every call that fails throws a LimpetError, whose `code` is `refused`, `not-found`, `already-exists`, `invalid-config`, ...
 */
export class ScriptedAgent {
  readonly #driver: PluginDriver;

  private constructor(options: ScriptedAgentOptions) {
    this.#driver = new PluginDriver(mkdtempSync(join(tmpdir(), 'limpet-test-')), options);
  }

  /** Without a plugin yet: `respawn` starts it. */
  static of(options: ScriptedAgentOptions): ScriptedAgent {
    return new ScriptedAgent(options);
  }

  /** Holds what the plugin keeps: `runs/<execution id>/<run>`, `logs`, `state`. */
  get folder(): string {
    return this.#driver.folder;
  }

  /** Of the live plugin, or of the last one. */
  get pid(): number {
    return this.#driver.pid;
  }

  get isAlive(): boolean {
    return this.#driver.isAlive;
  }

  /** What the plugin process has written to stderr: its log, a JSON object a line. */
  get stderr(): string {
    return this.#driver.stderr;
  }

  /** A new plugin process on the same folders, connected and configured. The last one must be gone. */
  async respawn(): Promise<void> {
    await this.#driver.respawn();
  }

  /** SIGKILL for the plugin; resolves when it is gone. Its runs go on. */
  kill9(): Promise<void> {
    return this.#driver.kill9();
  }

  /** Tells the plugin to end in order; resolves when it is gone. Its runs go on. */
  shutdown(): Promise<void> {
    return this.#driver.shutdown();
  }

  /** Removes all runs, ends the plugin and deletes the folder. Twice is the same as once. */
  async end(): Promise<void> {
    await this.#driver.end();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** What the plugin says of itself now. */
  async fingerprint(): Promise<Fingerprint> {
    for await (const found of this.#driver.calls.fingerprint({}, { deadlineMs: 10_000 }))
      return seenFingerprint(found);
    throw new Error('Fingerprint has ended without a word');
  }

  /** Answers the digest, which `start` takes. */
  prepare(run: TestRun): Promise<string> {
    return this.#driver.prepare(run);
  }

  /** A run without a deadline has one of 10 minutes, so that nothing stays behind when the test itself is killed. */
  async start(run: TestRun): Promise<SeenRun & { readonly alreadyRunning: boolean }> {
    const deadlineAt = Date.now() + DEADLINE_MS;
    const { state, alreadyRunning } = await this.#driver.start({ deadlineAt, ...run });
    return { ...seenRun(state), alreadyRunning };
  }

  /** The plugin follows the run from now on, as after its restart. `not-found` when there is none. */
  async recover(run: TestRunKey): Promise<SeenRun> {
    return seenRun(await this.#driver.recover(run));
  }

  async status(run: TestRunKey): Promise<SeenRun> {
    return seenRun(await this.#driver.status(run));
  }

  /** The state once the run has ended, or as it is after `timeoutMs` (at most 60 s). */
  async wait(run: TestRunKey, timeoutMs = 20_000): Promise<SeenRun> {
    return seenRun(await this.#driver.wait(run, timeoutMs));
  }

  async list(): Promise<readonly SeenRun[]> {
    return (await this.#driver.list()).map(seenRun);
  }

  /** Returns at once; the run ends by TERM, and by KILL after `graceMs`. */
  stop(run: TestRunKey, graceMs = 10_000): Promise<void> {
    return this.#driver.stop(run, graceMs);
  }

  /** Sets a new end of the run's lease, ms since the epoch. `unimplemented` when the executor keeps none. */
  async renew({ executionId, run = 0 }: TestRunKey, untilMs: number): Promise<void> {
    await this.#driver.calls.renew({
      leases: [{ key: { executionId, run }, untilMs: BigInt(untilMs) }],
    });
  }

  /** Ends and forgets the run; its log stays unless `withLogs`. Unknown is fine. */
  remove(run: TestRunKey, withLogs = false): Promise<void> {
    return this.#driver.remove(run, withLogs);
  }

  /** The log from the byte offset `from`; with `follow` to its end, 30 s at most; with `tail` only the last lines. */
  logs(
    run: Pick<TestRun, 'executionId'>,
    options: { readonly from?: number; readonly follow?: boolean; readonly tail?: number } = {},
  ): Promise<SeenLog> {
    return this.#driver.logs(run, options);
  }
}
