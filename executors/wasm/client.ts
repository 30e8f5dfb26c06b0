/** The plugin's end of a runner's control socket. */
import net from 'node:net';
import { LimpetError } from '../../plugins/sdk/index.ts';
import {
  RUNNER_PROTOCOL,
  lineSplitter,
  parseFromRunner,
  type Assignment,
  type FromRunner,
  type Hello,
  type ToRunner,
} from './protocol.ts';

const CONNECT_MS = 2_000;

export type AssignResult = Extract<FromRunner, { type: 'claimed' | 'declined' }>;

/** One run that a runner holds, as its plugin hears of it. */
export class FollowedRun {
  /** Resolves when the run has ended or the connection is gone. */
  readonly over: Promise<void>;
  #resolve: () => void = () => undefined;
  #hasEnded = false;
  #isFree = false;
  #record: string | undefined;

  constructor() {
    this.over = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** The runner has said that the run's exit record is there. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What that says, if the runner has told it. */
  get record(): string | undefined {
    return this.#record;
  }

  /** And that it takes another. */
  get leavesFree(): boolean {
    return this.#isFree;
  }

  ended(isFree: boolean, record: string | undefined): void {
    this.#hasEnded = true;
    this.#isFree = isFree;
    this.#record = record;
    this.#resolve();
  }

  lost(): void {
    this.#resolve();
  }
}

export class RunnerClient {
  readonly socketPath: string;
  readonly hello: Hello;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #socket: net.Socket;
  #run = new FollowedRun();
  #owner: string | undefined;
  #answer: ((result: AssignResult) => void) | undefined;

  private constructor(socketPath: string, hello: Hello, socket: net.Socket) {
    this.socketPath = socketPath;
    this.hello = hello;
    this.#owner = hello.owner;
    this.#socket = socket;
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.#run.lost();
        resolve();
      }),
    );
  }

  /** Errors: `unavailable` (nobody listens), `timeout`, `version-mismatch`. */
  static connect(socketPath: string): Promise<RunnerClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(socketPath);
      const fail = (error: LimpetError): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new LimpetError('timeout', `runner at ${socketPath} accepts but is silent`)),
        CONNECT_MS,
      );
      let client: RunnerClient | undefined;
      socket.on('error', (cause) =>
        fail(new LimpetError('unavailable', `no runner at ${socketPath}`, { cause })),
      );
      socket.once('close', () =>
        fail(new LimpetError('unavailable', `runner at ${socketPath} hung up`)),
      );
      socket.on(
        'data',
        lineSplitter((line) => {
          const message = parseFromRunner(line);
          if (client !== undefined) return client.#receive(message);
          if (message?.type !== 'hello' || message.protocol !== RUNNER_PROTOCOL)
            return fail(
              new LimpetError(
                'version-mismatch',
                `runner at ${socketPath} speaks another protocol`,
              ),
            );
          clearTimeout(timer);
          client = new RunnerClient(socketPath, message, socket);
          resolve(client);
        }),
      );
    });
  }

  /** The run that it held when it was connected to, or was assigned last. */
  get run(): FollowedRun {
    return this.#run;
  }

  /** It has served nobody else. */
  isFor(owner: string): boolean {
    return this.#owner === undefined || this.#owner === owner;
  }

  /** Errors: `unavailable` (the runner is gone), `timeout`; in both cases the claim file tells what has happened. */
  async assign(assignment: Assignment, timeoutMs: number): Promise<AssignResult> {
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<AssignResult>((resolve) => (this.#answer = resolve));
    const silent = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new LimpetError('timeout', 'the runner does not answer')),
        timeoutMs,
      );
    });
    const gone = this.closed.then(() => {
      throw new LimpetError('unavailable', 'the runner is gone');
    });
    this.#run = new FollowedRun();
    this.#owner = assignment.owner;
    this.send({ type: 'assign', assignment });
    try {
      return await Promise.race([answered, silent, gone]);
    } finally {
      clearTimeout(timer);
      gone.catch(() => undefined);
    }
  }

  send(message: ToRunner): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(message: FromRunner | undefined): void {
    if (message?.type === 'ended') this.#run.ended(message.free === true, message.record);
    const goesOn = message?.type !== 'ended' || message.free === true;
    if (message === undefined || !goesOn) this.close();
    else if (message.type === 'claimed' || message.type === 'declined') this.#answer?.(message);
  }
}
