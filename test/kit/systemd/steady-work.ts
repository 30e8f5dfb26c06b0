/** Runs that live through everything that is done to their host. They count lines, so that one that is lost shows. */
import type { Test } from 'tap';
import { eventually } from '../eventually.ts';
import { batchJob, dockerTask, lines, tickScript, wasmTask } from '../job-specs.ts';
import type { MachineEngine } from './engine.ts';
import type { Host } from './host.ts';

const EVERY_MS = 100;
const FOR_EVER = '1000000';
const WAIT_MS = 60_000;
const FEW = 3;

/** One process, with no children that come and go. */
const COUNTER = `let i = 1; setInterval(() => console.log('line ' + i++), ${EVERY_MS})`;
const countTask = {
  Engine: { Type: 'process', Params: { Command: ['/usr/local/bin/node', '-e', COUNTER] } },
};

const inContainer = dockerTask(tickScript(Number(FOR_EVER), EVERY_MS));
const JOBS = {
  wasm: () => batchJob(wasmTask('ticker', [FOR_EVER, String(EVERY_MS)])),
  process: () => batchJob(countTask),
  docker: () => batchJob(inContainer),
  'docker service': () => ({ ...batchJob(inContainer), Type: 'service' }),
};

export class SteadyWork {
  readonly #host: Host;
  readonly #engine: MachineEngine | undefined;
  #jobs: readonly string[] = [];
  #processes: readonly string[] = [];
  #containers: readonly string[] = [];

  /** With the engine of the host, where it has one. */
  constructor(host: Host, engine?: MachineEngine) {
    this.#host = host;
    this.#engine = engine;
  }

  get jobs(): readonly string[] {
    return this.#jobs;
  }

  /** One run of each. */
  async start(kinds: readonly (keyof typeof JOBS)[]): Promise<void> {
    const jobs: string[] = [];
    for (const kind of kinds) jobs.push(await this.#host.submit(JOBS[kind]()));
    for (const job of jobs) await this.#host.lines(job, FEW);
    this.#jobs = jobs;
    this.#processes = await this.#host.work();
    this.#containers = await this.#running();
  }

  /** Every plugin and every run is the process or container that it was; no container is there twice. */
  async isAlive(t: Test, when: string): Promise<void> {
    const now = await this.#host.work();
    const gone = this.#processes.filter((one) => !now.includes(one));
    t.strictSame(gone, [], `${when}: the same processes`);
    t.strictSame(await this.#running(), this.#containers, `${when}: the same containers`);
  }

  /** The same processes, the same runs, no line lost or repeated, and they go on. */
  async goesOn(t: Test, when: string): Promise<void> {
    const { executions } = await this.#host.linked();
    await this.isAlive(t, when);
    for (const job of this.#jobs) {
      const of = executions.filter(({ jobId }) => jobId === job);
      t.strictSame(
        of.map(({ state, run }) => ({ state, run })),
        [{ state: 'running', run: 0 }],
        `${when}: one execution, in its first run`,
      );
      await this.#counts(t, job, when);
    }
  }

  async #running(): Promise<readonly string[]> {
    return (await this.#engine?.running())?.sort() ?? [];
  }

  async #counts(t: Test, job: string, when: string): Promise<void> {
    const before = countOf(await this.#host.output(job));
    const text = await eventually(
      `${job} to go on ${when}`,
      async () => {
        const now = await this.#host.output(job);
        return countOf(now) >= before + FEW && now;
      },
      WAIT_MS,
    );
    t.equal(text, lines(countOf(text)), `${when}: every line once`);
  }
}

function countOf(text: string): number {
  return text.split('\n').length - 1;
}
