/** One simulated world: a requester, its nodes and the broker, and what the script may do to them. */
import { z } from 'zod';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import type { Random } from '../../adapters/clock/port.ts';
import { parseJobId, parseNodeId, type JobId } from '../../core/ids.ts';
import { stopJob } from '../../requester/jobs/stop.ts';
import type { RequesterCore } from '../../requester/core.ts';
import { Broker } from './broker.ts';
import { Crashes, type Coverage } from './crashes.ts';
import { Disk, type DiskCopy } from './disk.ts';
import { Ledger } from './ledger.ts';
import { Life } from './life.ts';
import type { Box } from './node.ts';
import { Program } from './program.ts';
import { runRequester, type Surroundings } from './programs.ts';
import { Site } from './site.ts';
import { Witness } from './witness.ts';

const REST_STEP_MS = 4_000;
const REST_LIMIT_MS = 40 * 60_000;
/** A life of a script takes some hundreds of these; whoever asks again and again without a pause takes tens of thousands. */
const MOST_TIMERS = 5_000;
/** The second one has room for two runs only, and as the tightest fit is asked first. */
const SITES = [
  { id: parseNodeId('n-simulated'), cpu: '0.3' },
  { id: parseNodeId('n-small'), cpu: '0.2' },
];

export class Cluster {
  readonly clock = new FakeClock(undefined, undefined, untilDrained);
  readonly world = new Life(this.clock);
  readonly ledger = new Ledger();
  readonly broker = new Broker(this.world);
  readonly crashes: Crashes;
  readonly witness = new Witness(this.ledger);
  readonly disk = new Disk((key, text) => this.witness.requesterWrote(key, text));
  readonly sites: readonly Site[];
  readonly requester: Program<RequesterCore>;
  /** Jobs whose submission was answered. */
  answered: JobId[] = [];

  constructor(
    coverage: Coverage,
    { seed, nodes }: { readonly seed: number; readonly nodes: number },
  ) {
    this.crashes = new Crashes(coverage);
    const random = seeded(seed);
    const mint = (): string => Buffer.from(random.bytes(8)).toString('hex');
    const { world, broker, crashes, disk } = this;
    const around: Surroundings = { world, broker, crashes, random, mint };
    this.sites = SITES.slice(0, nodes).map((site) => new Site(around, this.witness, site));
    this.requester = new Program(world, (life) => {
      this.witness.requesterStarts({ at: life.now(), waitsFor: this.#waitsFor() });
      return runRequester(around, life, {
        disk,
        dies: (awayMs) => this.requester.awayNext(awayMs),
      });
    });
  }

  async start(): Promise<void> {
    this.requester.start();
    for (const { agent } of this.sites) agent.start();
    await this.clock.advance(500);
  }

  /** Of any index. */
  site(which: number): Site {
    const site = this.sites[which % this.sites.length];
    if (site === undefined) throw new RangeError('there is no node');
    return site;
  }

  get boxes(): readonly (readonly [site: Site, box: Box])[] {
    return this.sites.flatMap((site) => site.node.boxes.map((box) => [site, box] as const));
  }

  /** The answer may never come; then nothing is known of it. */
  stop(id: JobId): void {
    const core = this.requester.running;
    if (core === undefined) return;
    stopJob(core, id, 'the script stops it').catch(() => undefined);
  }

  /** Somebody puts an earlier copy of the requester's disk in its place; the file beside the store may be left as it is. */
  setBack(copy: DiskCopy, { withFile, awayMs }: { withFile: boolean; awayMs: number }): void {
    this.requester.kill(awayMs);
    this.disk.restore(copy);
    if (withFile) this.disk.beside = copy.beside;
    this.witness.requesterSetBack(copy.records);
    this.answered = this.answered.filter((id) => copy.records.has(`job/${id}`));
  }

  /** Nothing more goes wrong; what is up to the world happens. */
  heal(): void {
    this.crashes.disarm();
    this.broker.calm();
    this.broker.up = true;
    this.disk.full = false;
    for (const site of this.sites) site.heal();
    this.requester.ensure();
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
    const live = this.disk.read('live/').map(([key]) => key);
    if (live.length > 0) return `the requester still has ${live.join(', ')}`;
    const { forEver } = this;
    for (const site of this.sites) {
      const unrest = site.unrest(forEver);
      if (unrest !== undefined) return unrest;
      if (this.requester.running?.links.get(site.id)?.outbox.idle !== true)
        return `the requester has rows that ${site.id} did not take`;
    }
    return undefined;
  }

  /** Somebody asks again and again without a pause. */
  get spins(): boolean {
    return this.clock.ran > MOST_TIMERS * this.sites.length;
  }

  /** Ids of the jobs that stay up until they are stopped. */
  get endless(): ReadonlySet<string> {
    const all = [...this.witness.jobs].filter(([, { Type }]) => Type === 'service');
    return new Set(all.map(([id]) => id));
  }

  /** Ids of the jobs whose runs may be started again in place. */
  get restartable(): ReadonlySet<string> {
    const again = [...this.witness.jobs].filter(
      ([, { Type, RestartPolicy }]) => Type === 'service' || RestartPolicy?.Attempts !== 0,
    );
    return new Set(again.map(([id]) => id));
  }

  /** Whether the requester has forgotten the job of this execution, with the store that it had before. */
  isForgotten({ jobId }: { readonly jobId: string }): boolean {
    return !this.disk.has(`job/${jobId}`);
  }

  /** Executions that stay up, and that nobody remembers who could stop them. */
  get forEver(): ReadonlySet<string> {
    const { endless } = this;
    const left = [...this.witness.placings.values()].filter(
      (one) => endless.has(one.jobId) && this.isForgotten(one),
    );
    return new Set(left.map(({ id }) => id));
  }

  #waitsFor(): ReadonlySet<string> {
    const nodes = this.disk.read('node/').map(([, value]) => nodeSchema.parse(value));
    const waits = nodes.filter(
      ({ session, connection, membership }) =>
        session !== '' && connection.state !== 'unhealthy' && membership.state === 'approved',
    );
    return new Set(waits.map(({ id }) => id));
  }
}

const nodeSchema = z.object({
  id: z.string(),
  session: z.string(),
  connection: z.object({ state: z.string() }),
  membership: z.object({ state: z.string() }),
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
