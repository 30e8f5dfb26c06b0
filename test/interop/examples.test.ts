/** Runs of the plugins in Go and Python: agent and plugin killed in the middle, alone and together, lose and double nothing. */
import t from 'tap';
import { goExample, pythonExample, withoutGo, withoutPython } from '../kit/examples.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, lines, tickScript } from '../kit/job-specs.ts';
import type { JsonObject, TestAgent } from '../kit/test-agent.ts';

t.setTimeout(300_000);

const LINES = 75;
const EVERY_MS = 200;
const CODE = 7;

const program = [
  'import sys, time',
  `for i in range(${LINES}):`,
  "    print('line', i + 1)",
  `    time.sleep(${EVERY_MS / 1000})`,
  `sys.exit(${CODE})`,
].join('\n');

const EXAMPLES = [
  {
    ...{ name: 'script', language: 'Go', skip: withoutGo, command: goExample },
    params: { Script: tickScript(LINES, EVERY_MS, CODE) },
  },
  {
    ...{ name: 'python', language: 'Python', skip: withoutPython },
    command: async () => pythonExample().command,
    params: { Program: program },
  },
];

for (const { name, language, skip, command, params } of EXAMPLES)
  t.test(`the example in ${language}`, { skip }, async (t) => {
    const plugins = [{ name, command: await command(t) }];
    const cluster = await startCluster(t);
    const agent = cluster.addAgent({
      executors: { docker: { enabled: false }, wasm: { enabled: false } },
      plugins,
    });
    await agent.start();
    const task: JsonObject = { Engine: { Type: name, Params: params } };
    const job = await cluster.submit(batchJob(task));
    await cluster.running(job);

    const first = await agent.pluginPid(name);
    await agent.kill();
    await agent.start();
    t.equal(await agent.pluginPid(name), first, 'a killed agent finds the plugin again');

    process.kill(first, 'SIGKILL');
    const second = await another(agent, name, first);
    await agent.kill();
    process.kill(second, 'SIGKILL');
    await agent.launch();
    await another(agent, name, second);

    t.equal((await cluster.ended(job, 120_000)).state, 'Failed');
    t.equal(await cluster.log(job), lines(LINES), 'every line once');
    const { run, outcome } = await cluster.execution(job);
    t.match({ run, outcome }, { run: 0, outcome: { by: 'exit', code: CODE } }, 'the true end');
  });

/** The pid of the plugin's next process, once it holds the runs again. */
function another(agent: TestAgent, name: string, last: number): Promise<number> {
  return eventually(
    `another process of ${name} than ${last}`,
    async () => {
      await agent.ready();
      const pid = await agent.pluginPid(name);
      return pid === last ? undefined : pid;
    },
    60_000,
  );
}
