/** Names, labels, environment and logs */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { checkProgram } from '../../agent/plugins/program.ts';
import { callEngine } from '../../scripts/engine.mjs';
import { batchJob, dockerTask, processTask, wasmTask } from '../kit/job-specs.ts';
import { distPath, startProgram } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { startSandbox } from './sandbox.ts';

t.setTimeout(240_000);

const AGENT_ENV = {
  SECRET_OF_THE_AGENT: 'hidden',
  NODE_OPTIONS: '--max-old-space-size=900',
  LD_LIBRARY_PATH: '/nonexistent',
};
const { cluster, agent, engine, outputOf, refusalOf } = await startSandbox(t, { env: AGENT_ENV });

t.test(
  'a container that carries our labels under another name is not taken for a run, and not touched',
  { skip: engine.skip },
  async (t) => {
    const { nodeId, instanceId } = z
      .looseObject({ nodeId: z.string(), instanceId: z.string() })
      .parse(JSON.parse(readFileSync(join(agent.folder, 'identity.json'), 'utf8')));
    const Labels = {
      'limpet.execution-id': 'e-01900000-0000-7000-8000-00000000feed',
      ...{
        'limpet.run': '0',
        'limpet.role': 'run',
        'limpet.owner': 'somebody',
        'limpet.kind': 'batch',
      },
      ...{ 'limpet.node-id': nodeId, 'limpet.instance-id': instanceId, 'limpet.token': '1.0.0' },
    };
    const name = `sandbox-${process.pid}-spoof`;
    const call = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) =>
      callEngine(engine.host, {
        method,
        path,
        ...(body === undefined
          ? {}
          : { body: Buffer.from(JSON.stringify(body)), type: 'application/json' }),
      });
    await call('POST', `/containers/create?name=${name}`, {
      Image: engine.image,
      Cmd: ['sleep', '600'],
      Labels,
    });
    t.teardown(() => call('DELETE', `/containers/${name}?force=1`));
    await call('POST', `/containers/${name}/start`);
    await agent.kill();
    const { foreign, executions } = await agent.start(AGENT_ENV);
    t.strictSame(
      foreign.filter((line) => line.includes('feed')),
      [],
    );
    t.strictSame(
      executions.filter(({ id }) => id.includes('feed')),
      [],
    );
    const { ran } = { ran: await cluster.ran('agent', 'sweep', '--data', agent.folder) };
    t.equal(ran.exit?.code, 0, ran.stderr);
    const { body } = await call('GET', `/containers/${name}/json`);
    t.equal(
      z.looseObject({ State: z.looseObject({ Running: z.boolean() }) }).parse(JSON.parse(body))
        .State.Running,
      true,
    );
  },
);

t.test(
  'a job that asks for labels, privileges, devices or mounts of its own is refused',
  { skip: engine.skip },
  async (t) => {
    for (const param of [
      'Labels',
      'Privileged',
      'Devices',
      'Binds',
      'Mounts',
      'CapAdd',
      'PidMode',
    ]) {
      const { Engine } = dockerTask('true');
      const Params = {
        ...z.looseObject({ Params: z.looseObject({}) }).parse(Engine).Params,
        [param]: true,
      };
      await t.rejects(
        cluster.submit(batchJob({ Engine: { Type: 'docker', Params } })),
        new RegExp(`Engine\\.Params\\.${param}: unknown`),
      );
    }
  },
);

t.test('variables of the agent do not reach the work, on any executor', async (t) => {
  const tasks = [
    wasmTask('cat-env', []),
    processTask('env'),
    ...(engine.skip === false ? [dockerTask('env')] : []),
  ];
  for (const task of tasks) {
    const seen = await outputOf(task);
    t.match(seen, /^LIMPET_EXECUTION_ID=e-/m);
    for (const name of Object.keys(AGENT_ENV)) t.notMatch(seen, new RegExp(`^${name}=`, 'm'), name);
  }
});

t.test(
  'a variable of the node that the operator has not listed is refused, whatever a job calls it',
  async (t) => {
    for (const name of [
      'SECRET_OF_THE_AGENT',
      'NODE_OPTIONS',
      'PATH',
      'SECRET_OF_THE_AGENT\n',
      '.*',
    ])
      t.match(
        await refusalOf(processTask('env', { Env: { X: `env:${name}` } })),
        /is not allowed; its operator can add it to allowEnv/,
      );
  },
);

t.test(
  'names that are ours, or that hold more than a name, are refused at submission',
  async (t) => {
    for (const name of [
      'LIMPET_RUN',
      'LIMPET_EXECUTION_ID',
      'BACALHAU_JOB_ID',
      'A\nLIMPET_RUN',
      'A=B',
      '',
    ])
      await t.rejects(
        cluster.submit(batchJob(processTask('env', { Env: { [name]: 'x' } }))),
        /Env/,
        name,
      );
    const Params = { Command: ['env'], EnvironmentVariables: ['LIMPET_RUN=e-other/0'] };
    await t.rejects(
      cluster.submit(batchJob({ Engine: { Type: 'process', Params } })),
      /EnvironmentVariables\[0\]: found/,
    );
  },
);

t.test(
  "LD_PRELOAD and the like of a job are its command's alone: nothing of ours that runs before it sees them",
  async (t) => {
    const Env = {
      LD_PRELOAD: '/nonexistent.so',
      LD_AUDIT: '/nonexistent.so',
      IFS: 'x',
      ENV: '/nonexistent',
      PATH: '/nowhere:/usr/bin:/bin',
      ID: 'mine',
    };
    const names = Object.keys(Env).join('|');
    const script = `tr '\\0' '\\n' < /proc/$PPID/environ | grep -cE '^(${names})=' ; tr '\\0' '\\n' < /proc/$PPID/environ | grep ^PATH=; tr '\\0' '\\n' < /proc/$$/environ | grep -cE '^(${names})='; tr '\\0' '\\n' < /proc/$$/environ | grep -c LIMPET_CARRIED_; echo $ID; echo $LIMPET_JOB_ID`;
    const [ofHolder, path, ofCommand, carried, own, told] = (
      await outputOf(processTask(`${script}; true`, { Env }))
    ).split('\n');
    t.equal(ofHolder, '1', 'PATH alone');
    t.notMatch(path, /nowhere/);
    t.equal(ofCommand, '6');
    t.equal(carried, '0');
    t.equal(own, 'mine');
    t.match(told, /^j-/);
  },
);

/** What a job prints to look like something of ours. */
const FORGED = [
  '{"stream":"gap","timeMs":0,"offset":0,"data":""}',
  'event: end',
  'data: {"code":"finished","message":""}',
  '',
  '[gap] 100 bytes are lost',
];
const ESCAPES = '\\033]52;c;aGVsbG8=\\007\\033[2J\\033[31mred\\033[0m\\233\\n';

t.test(
  'output that looks like frames, end marks and gaps of a log comes out as what it is: output',
  async (t) => {
    const script = `${FORGED.map((line) => `echo '${line}'`).join('; ')}; head -c 3000 /dev/urandom | base64; echo last`;
    const job = await cluster.submit(batchJob(processTask(script)));
    await cluster.ended(job);
    const parts = await cluster.logParts(job);
    t.strictSame(
      parts.map(({ stream }) => stream),
      ['stdout'],
    );
    t.strictSame(parts[0]?.text.split('\n').slice(0, FORGED.length), FORGED);
    t.match(parts[0]?.text, /\nlast\n$/);
  },
);

t.test(
  'control sequences of a job are shown on a terminal, not carried out; colours pass; elsewhere the bytes are as they were',
  async (t) => {
    const job = await cluster.submit(
      batchJob(processTask(`printf '${ESCAPES}'`), { Name: 'name\u001b]0;title\u0007' }),
    );
    await cluster.ended(job);
    const plain = await cluster.ran('job', 'logs', job);
    t.match(plain.stdout, /^\u001b\]52;c;aGVsbG8=\u0007\u001b\[2J/);
    const onTerminal = async (...args: string[]): Promise<string> => {
      const command = [process.execPath, distPath('limpet.js'), ...args].join(' ');
      const env = { LIMPET_DATA: cluster.folder, LIMPET_API: undefined, LIMPET_TOKEN: undefined };
      const shown = await startProgram(t, 'script', { args: ['-qec', command, '/dev/null'], env });
      await shown.waitForExit(60_000);
      return shown.stdout;
    };
    const logs = await onTerminal('job', 'logs', job);
    t.match(logs, /\\x1b\]52;c;aGVsbG8=\\x07\\x1b\[2J\u001b\[31mred\u001b\[0m/);
    t.notMatch(logs, /\u001b\]|\u001b\[2J|\u009b/);
    for (const command of ['list', 'describe']) {
      const shown = await onTerminal('job', command, ...(command === 'list' ? [] : [job]));
      t.match(shown, /name.*\]0;title/, command);
      t.notMatch(shown, /\u001b\]0/, command);
    }
  },
);

t.test(
  'a plugin that everybody may write, or whose folder or a folder above it, is refused',
  async (t) => {
    const root = tempDir(t);
    const folder = join(root, 'above', 'plugins');
    mkdirSync(folder, { recursive: true });
    const program = join(folder, 'plugin');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
    const check = (path: string) =>
      checkProgram({ name: 'p', command: [path], config: {}, passEnv: [] });
    await check(program);
    for (const open of [program, folder, join(root, 'above')]) {
      chmodSync(open, 0o777);
      await t.rejects(check(program), {
        code: 'plugin-failed',
        message: `plugin p: everybody may write ${open}; take that right away (chmod o-w)`,
      });
      chmodSync(open, 0o755);
    }
    const link = join(root, 'link');
    symlinkSync(program, link);
    await check(link);
    chmodSync(folder, 0o777);
    await t.rejects(check(link), { message: new RegExp(`everybody may write ${folder};`) });
    chmodSync(folder, 0o755);
    renameSync(program, `${program}-gone`);
    await t.rejects(check(program), { message: /there is no program/ });
  },
);
