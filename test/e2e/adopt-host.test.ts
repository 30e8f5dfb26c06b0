/** A data folder on another machine: refused in one line, taken over on purpose, or made a node of its own. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { startCluster, type Cluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import type { Program } from '../kit/program.ts';
import type { TestAgent } from '../kit/test-agent.ts';

t.setTimeout(120_000);

const HERE = 'aaaaaaaa000000000000000000000001';
const THERE = 'bbbbbbbb000000000000000000000002';
const KEPT = fileURLToPath(new URL('../../fixtures/store/agent-v1', import.meta.url));

/** A file stands in for the machine: another id in it is another machine. */
class Machine {
  readonly file: string;

  constructor(cluster: Cluster) {
    this.file = join(cluster.folder, 'machine-id');
    this.become(HERE);
  }

  become(id: string): void {
    writeFileSync(this.file, `${id}\n`);
  }
}

function addAgent(cluster: Cluster, machine: Machine): TestAgent {
  const process = { enabled: true };
  const executors = { docker: { enabled: false }, wasm: { enabled: false }, process };
  return cluster.addAgent({ executors, machineIdFile: machine.file });
}

function identityOf(agent: TestAgent): string {
  return readFileSync(join(agent.folder, 'identity.json'), 'utf8');
}

async function refused(t: Test, agent: TestAgent): Promise<void> {
  const before = identityOf(agent);
  const program = await agent.launch();
  t.match(await program.waitForExit(20_000), { code: 1 });
  const [line = '', ...more] = program.stderr.trim().split('\n');
  t.same(more, [], 'one line');
  t.match(line, /belongs to the agent of another machine .*aaaaaaaa\.\.\., here bbbbbbbb\.\.\./);
  t.match(line, `limpet agent adopt-host --data ${agent.folder}`);
  t.equal(identityOf(agent), before, 'and nothing has changed');
}

function order(cluster: Cluster, agent: TestAgent, ...args: string[]): Promise<Program> {
  const config = `${agent.folder}.config.json`;
  return cluster.ran('agent', ...args, '--config', config, '--data', agent.folder);
}

t.test('on another machine the agent starts only after adopt-host', async (t) => {
  const cluster = await startCluster(t);
  const machine = new Machine(cluster);
  const agent = addAgent(cluster, machine);
  const { nodeId } = await agent.start();
  const id = await cluster.running(await cluster.submit(batchJob(processTask('sleep 300'))));
  const same = await order(cluster, agent, 'adopt-host');
  t.match(same.stdout, "it is this machine's already", same.stderr);
  await agent.kill();

  machine.become(THERE);
  await refused(t, agent);
  const dry = await order(cluster, agent, 'adopt-host', '--dry-run');
  t.match(dry.stdout, 'would change machine aaaaaaaa... to bbbbbbbb...', dry.stderr);
  await refused(t, agent);
  const done = await order(cluster, agent, 'adopt-host');
  t.match(done.stdout, 'changed machine aaaaaaaa... to bbbbbbbb...', done.stderr);
  t.match(done.stdout, 'must never run with it again');

  const status = await agent.start();
  t.equal(status.nodeId, nodeId, 'the same node');
  t.match(status.degraded.join('\n'), 'taken over from another machine');
  t.match((await agent.history(id)).at(-1), { to: 'running' }, 'what is there is adopted');
  await agent.kill();
  t.same((await agent.start()).degraded, [], 'said once');
});

t.test('a copy becomes a node of its own', async (t) => {
  const cluster = await startCluster(t);
  const machine = new Machine(cluster);
  const agent = addAgent(cluster, machine);
  const { nodeId } = await agent.start();
  await agent.stopAll();
  machine.become(THERE);
  const kept = await order(cluster, agent, 'reset');
  t.equal(kept.exit?.code, 1);
  t.match(kept.stderr, 'belongs to the agent of another machine');
  const dry = await order(cluster, agent, 'reset', '--identity', '--dry-run');
  t.match(dry.stdout, `would remove ${join(agent.folder, 'identity.json')}`, dry.stderr);
  await refused(t, agent);
  const done = await order(cluster, agent, 'reset', '--identity');
  t.equal(done.exit?.code, 0, done.stderr);
  t.not((await agent.start()).nodeId, nodeId);
});

t.test('a folder of an older version gets the id of the machine that it is on', async (t) => {
  const cluster = await startCluster(t);
  const machine = new Machine(cluster);
  const agent = addAgent(cluster, machine);
  cpSync(KEPT, agent.folder, { recursive: true });
  await agent.launch();
  await eventually('it to be written', () => identityOf(agent).includes(HERE));
  await agent.ready();
  await agent.kill();
  machine.become(THERE);
  await refused(t, agent);
});

t.test('a named file without an id is one line', async (t) => {
  const cluster = await startCluster(t);
  const machine = new Machine(cluster);
  const agent = addAgent(cluster, machine);
  machine.become('');
  const program = await agent.launch();
  t.match(await program.waitForExit(20_000), { code: 2 });
  t.match(program.stderr, /machineIdFile .* holds no machine id; expected one line/);
});
