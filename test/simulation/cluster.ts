/** One simulated world: a requester, an agent, its plugins, its host and the broker, and what the script may do to them. */
import { z } from 'zod';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import type { Random } from '../../adapters/clock/port.ts';
import { parseJobId, type JobId } from '../../core/ids.ts';
import { stopJob } from '../../requester/jobs/stop.ts';
import type { RequesterCore } from '../../requester/core.ts';
import { Broker } from './broker.ts';
import { Crashes, type Coverage } from './crashes.ts';
import { Disk } from './disk.ts';
import type { PluginTable } from './host.ts';
import { Ledger } from './ledger.ts';
import { Life } from './life.ts';
import { Node, type Flavour } from './node.ts';
import { PluginProcess } from './plugin.ts';
import { Program } from './program.ts';
import { runAgent, runRequester, type RunningAgent, type Surroundings } from './programs.ts';
import { Witness } from './witness.ts';

const REST_STEP_MS = 4_000;
const REST_LIMIT_MS = 40 * 60_000;
/** A life of a script takes some hundreds of these; whoever asks again and again without a pause takes tens of thousands. */
const MOST_TIMERS = 5_000;

export class Cluster {
  readonly clock = new FakeClock(undefined, undefined, untilDrained);
  readonly world = new Life(this.clock);
  readonly ledger = new Ledger();
  readonly node = new Node(this.world, this.ledger);
  readonly broker = new Broker(this.world);
  readonly crashes: Crashes;
  readonly witness = new Witness(this.ledger);
  readonly disks = {
    agent: new Disk((key, text) => this.witness.agentWrote(key, text)),
    requester: new Disk((key, text) => this.witness.requesterWrote(key, text)),
  };
  readonly plugins = new Map<Flavour, PluginProcess>();
  readonly agent: Program<RunningAgent>;
  readonly requester: Program<RequesterCore>;
  /** Jobs whose submission was answered. */
  readonly answered: JobId[] = [];
  readonly #around: Surroundings;

  constructor(coverage: Coverage, seed: number) {
    this.crashes = new Crashes(coverage);
    const random = seeded(seed);
    const mint = (): string => Buffer.from(random.bytes(8)).toString('hex');
    const { world, broker, crashes } = this;
    this.#around = { world, broker, crashes, random, mint };
    this.agent = new Program(world, (life) =>
      runAgent(this.#around, life, {
        disk: this.disks.agent,
        plugins: this.#table,
        node: this.node,
      }),
    );
    this.requester = new Program(world, (life) =>
      runRequester(this.#around, life, this.disks.requester),
    );
  }

  async start(): Promise<void> {
    this.requester.start();
    this.agent.start();
    await this.clock.advance(500);
  }

  /** The answer may never come; then nothing is known of it. */
  stop(id: JobId): void {
    const core = this.requester.running;
    if (core === undefined) return;
    stopJob(core, id, 'the script stops it').catch(() => undefined);
  }

  setEngineAway(away: boolean): void {
    this.node.engineAway = away;
    const { running } = this.agent;
    running?.host.fingerprint(running.core.service);
  }

  /** The host of the agent: everything on it ends at once. */
  reboot(awayMs: number): void {
    this.agent.kill(awayMs);
    for (const plugin of this.plugins.values()) plugin.life.end();
    this.plugins.clear();
    this.node.reboot();
  }

  /** Nothing more goes wrong; what is up to the world happens. */
  heal(): void {
    this.crashes.disarm();
    this.broker.calm();
    this.broker.up = true;
    for (const disk of Object.values(this.disks)) disk.full = false;
    this.setEngineAway(false);
    this.node.pace.stepMs = 1;
    this.node.pace.claimMs = 2;
    this.node.pace.removeMs = 0;
    for (const box of this.node.boxes) this.node.resume(box);
    this.requester.ensure();
    this.agent.ensure();
  }

  /** Until nothing is left to do, or for forty minutes. Answers what is not at rest then. */
  async rest(): Promise<string | undefined> {
    this.heal();
    await this.clock.advance(REST_STEP_MS);
    for (const id of this.endless) this.stop(parseJobId(id));
    for (let waited = 0; waited < REST_LIMIT_MS; waited += REST_STEP_MS) {
      await this.clock.advance(REST_STEP_MS);
      if (this.#unrest() === undefined) return undefined;
    }
    return this.#unrest();
  }

  /** What keeps the world from rest. */
  #unrest(): string | undefined {
    const live = this.disks.requester.read('live/').map(([key]) => key);
    if (live.length > 0) return `the requester still has ${live.join(', ')}`;
    const [box] = this.node.boxes;
    if (box !== undefined)
      return `the host still has ${box.ref.executionId}/${box.ref.run}, ${box.phase}`;
    const core = this.agent.running?.core;
    if (core === undefined) return 'the agent does not run';
    const [execution] = core.service.engine.all();
    if (execution !== undefined)
      return `the agent still has ${execution.record.placement.executionId}, ${execution.record.state}`;
    return core.outbox.idle ? undefined : 'the agent has reports that nobody acknowledged';
  }

  /** Somebody asks again and again without a pause. */
  get spins(): boolean {
    return this.clock.ran > MOST_TIMERS;
  }

  /** Ids of the jobs that stay up until they are stopped. */
  get endless(): ReadonlySet<string> {
    return new Set(this.#jobs.filter(({ spec }) => spec.Type === 'service').map(({ id }) => id));
  }

  /** Ids of the jobs whose runs may be started again in place. */
  get restartable(): ReadonlySet<string> {
    const again = this.#jobs.filter(
      ({ spec }) => spec.Type === 'service' || spec.RestartPolicy?.Attempts !== 0,
    );
    return new Set(again.map(({ id }) => id));
  }

  get #jobs(): readonly z.infer<typeof jobSchema>[] {
    return this.disks.requester.read('job/').map(([, value]) => jobSchema.parse(value));
  }

  get #table(): PluginTable {
    return {
      get: (name) => {
        const process = this.plugins.get(name);
        return process?.life.alive === true ? process : undefined;
      },
      spawn: (name, instance) => {
        const life = new Life(this.world);
        const faults = this.crashes.of(life);
        const process = new PluginProcess({
          instance,
          flavour: name,
          node: this.node,
          life,
          faults,
        });
        const before = this.plugins.get(name);
        if (before?.life.alive === true)
          this.ledger.violation(`two plugins ${name} are alive at a time`);
        this.plugins.set(name, process);
        return process;
      },
    };
  }
}

const jobSchema = z.object({
  id: z.string(),
  spec: z.object({
    Type: z.string(),
    RestartPolicy: z.object({ Attempts: z.number().optional() }).optional(),
  }),
});

/** Nothing in here waits for the host: a tick comes when no promise is left that can go on, and no turn of the loop is needed. */
function untilDrained(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** Mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) & 0xff;
  };
  return { bytes: (count) => Uint8Array.from({ length: count }, next) };
}
