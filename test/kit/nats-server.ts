/** A real nats-server on a free loopback port, for one test. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { findProgram } from '../../scripts/programs.mjs';
import { startProgram, type Program } from './program.ts';
import { programDir } from './program-dir.ts';
import type { Teardown } from './teardown.ts';

export interface NatsServerOptions {
  /** Lines of nats-server configuration beside `listen`, e.g. `max_payload: 65536`. */
  readonly config?: string;
  readonly port?: number;
}

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Its log so far. */
  readonly log: string;
  /** SIGKILL unless told otherwise; waits until it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same configuration, after a kill. */
  restart(): Promise<void>;
}

const ATTEMPTS = 5;

/** Path of nats-server; undefined when the machine has none. */
export function natsServerPath(): string | undefined {
  return findProgram('nats-server');
}

/** For tap's `skip` option: false, or why there is no nats-server here. */
export function natsServerSkip(): false | string {
  return natsServerPath() === undefined && 'needs nats-server: none on this machine';
}

/** Starts nats-server and waits until it is ready; stopped at teardown. */
export async function startNatsServer(
  t: Teardown,
  options: NatsServerOptions = {},
): Promise<NatsServer> {
  const path = natsServerPath();
  if (path === undefined) throw new Error('no nats-server on this machine');
  const folder = programDir(t);
  let failure: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = options.port ?? (await freePort());
    const file = join(folder, 'nats.conf');
    writeFileSync(file, `listen: "127.0.0.1:${port}"\n${options.config ?? ''}\n`);
    const launch = (): Promise<Program> => launchServer(t, path, file);
    try {
      return new Server(port, await launch(), launch);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

async function launchServer(t: Teardown, path: string, configFile: string): Promise<Program> {
  const program = await startProgram(t, path, { args: ['-c', configFile] });
  await program.waitFor(/Server is ready/, 10_000);
  return program;
}

class Server implements NatsServer {
  readonly port: number;
  readonly url: string;
  #program: Program;
  readonly #launch: () => Promise<Program>;

  constructor(port: number, program: Program, launch: () => Promise<Program>) {
    this.port = port;
    this.url = `nats://127.0.0.1:${port}`;
    this.#program = program;
    this.#launch = launch;
  }

  get pid(): number {
    return this.#program.pid;
  }

  get log(): string {
    return this.#program.stderr;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return this.#program.kill(signal);
  }

  async restart(): Promise<void> {
    await this.#program.kill();
    this.#program = await this.#launch();
  }
}
