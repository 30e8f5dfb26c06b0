/** One node of the world: its host, its agent with a disk, and the plugins, which outlive the agent. */
import type { NodeId } from '../../core/ids.ts';
import { Disk } from './disk.ts';
import type { PluginTable } from './host.ts';
import { Life } from './life.ts';
import { Node, type Flavour } from './node.ts';
import { PluginProcess } from './plugin.ts';
import { Program } from './program.ts';
import { runAgent, type RunningAgent, type Surroundings } from './programs.ts';
import type { Witness } from './witness.ts';

export class Site {
  readonly id: NodeId;
  readonly node: Node;
  readonly disk: Disk;
  readonly agent: Program<RunningAgent>;
  readonly plugins = new Map<Flavour, PluginProcess>();
  readonly #around: Surroundings;

  constructor(
    around: Surroundings,
    witness: Witness,
    { id, cpu }: { readonly id: NodeId; readonly cpu: string },
  ) {
    const { world } = around;
    this.#around = around;
    this.id = id;
    this.node = new Node(world, witness.ledger);
    this.disk = new Disk((key, text) => witness.agentWrote(key, text));
    this.agent = new Program(world, (life) =>
      runAgent(around, life, {
        ...{ nodeId: id, cpu, disk: this.disk, plugins: this.#table, node: this.node },
        dies: (awayMs) => this.agent.awayNext(awayMs),
      }),
    );
  }

  setEngineAway(away: boolean): void {
    this.node.engineAway = away;
    const { running } = this.agent;
    running?.host.fingerprint(running.core.service);
  }

  /** Everything on its host ends at once. */
  reboot(awayMs: number): void {
    this.agent.kill(awayMs);
    for (const plugin of this.plugins.values()) plugin.life.end();
    this.plugins.clear();
    this.node.reboot();
  }

  /** What is up to the world happens. */
  heal(): void {
    this.disk.full = false;
    this.setEngineAway(false);
    this.node.pace.stepMs = 1;
    this.node.pace.claimMs = 2;
    this.node.pace.removeMs = 0;
    for (const box of this.node.boxes) this.node.resume(box);
    this.agent.ensure();
  }

  /** What keeps it from rest, leaving aside the executions that go on for ever. */
  unrest(forEver: ReadonlySet<string>): string | undefined {
    const box = this.node.boxes.find(({ ref }) => !forEver.has(ref.executionId));
    if (box !== undefined)
      return `the host still has ${box.ref.executionId}/${box.ref.run}, ${box.phase}`;
    const core = this.agent.running?.core;
    if (core === undefined) return 'the agent does not run';
    const found = [...core.service.engine.all()].find(
      ({ record }) => !forEver.has(record.placement.executionId),
    );
    if (found !== undefined)
      return `the agent still has ${found.record.placement.executionId}, ${found.record.state}`;
    return core.outbox.idle ? undefined : 'the agent has reports that nobody acknowledged';
  }

  get #table(): PluginTable {
    const { world, crashes } = this.#around;
    return {
      get: (name) => {
        const process = this.plugins.get(name);
        return process?.life.alive === true ? process : undefined;
      },
      spawn: (name, instance) => {
        const life = new Life(world);
        const faults = crashes.of(life);
        const process = new PluginProcess({
          instance,
          flavour: name,
          node: this.node,
          life,
          faults,
        });
        if (this.plugins.get(name)?.life.alive === true)
          this.node.ledger.violation(`two plugins ${name} are alive at a time`);
        this.plugins.set(name, process);
        return process;
      },
    };
  }
}
