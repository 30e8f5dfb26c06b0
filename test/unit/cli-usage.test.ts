import { PassThrough, Readable } from 'node:stream';
import t from 'tap';
import { run } from '../../cli/run.ts';

async function screen(...args: string[]) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const exitCode = await run(args, {
    env: { HOME: '/home/someone', LIMPET_DATA: '/nowhere' },
    stdin: Readable.from([]),
    stdout,
    stderr,
    now: () => 0,
  });
  return { exitCode, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

t.test('the first screen', async (t) => {
  const { exitCode, stdout, stderr } = await screen();
  t.equal(exitCode, 0);
  t.equal(stderr, '');
  t.equal(
    stdout,
    `Usage: limpet [options] [command]

Runs jobs on compute nodes, and finds every one again, whatever dies.

Options:
  -V, --version               print the version
  -h, --help                  display help for command

Commands:
  job                         submit jobs and see what becomes of them
  execution                   see one execution as its owner and its node do
  docker                      run container images
  wasm                        run WebAssembly modules
  node                        see the compute nodes, and decide on them
  plugin                      see executor plugins, and make yours
  agent [options]             run the compute-node agent in the foreground
  recover [options]           show what recovery would do with every execution of this host
  doctor [options]            look for what is wrong with the agent and the requester of this host
  requester [options]         run the requester in the foreground
  dev [options]               run broker, requester and agent in this terminal; Ctrl-C ends
                              everything
  install                     make this host a compute node or the requester, by systemd
  uninstall [options] [what]  take away services and programs; work, data, configuration and keys
                              stay

First steps:
  limpet dev                              a whole cluster in this terminal
  limpet wasm run module.wasm             run a module and show its output
  limpet docker run busybox echo hello    run a container and show its output
  limpet job run job.yaml --follow        run a job file
`,
  );
  t.equal((await screen('--help')).stdout, stdout);
  t.match(
    (await screen('job', 'run', '--help')).stdout,
    /^Usage: limpet job run \[options\] <file>\n/,
  );
});

t.test('wrong usage is one line and exit code 2', async (t) => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['joob'], /^error: unknown command 'joob'\n\(Did you mean job\?\)\n$/],
    [['job', 'run'], /^error: missing required argument 'file'\n$/],
    [['job', 'list', '--colour'], /^error: unknown option '--colour'\n$/],
    [
      ['job', 'list', '-n', 'many'],
      /^error: option .*'many' is invalid. Expected a whole number.\n$/,
    ],
    [['job', 'list', '-o', 'xml'], /^error: option .* Allowed choices are table, json.\n$/],
    [
      ['job', 'list', '--api', 'nonsense'],
      /^error: API address 'nonsense' is not valid; expected http:.*\n$/,
    ],
    [['docker', 'run', '-e', 'X', 'busybox'], /^error: 'X' is not a variable as NAME=value\n$/],
    [
      ['dev', '--executor', 'vm'],
      /^error: option .* Allowed choices are docker, wasm, process.\n$/,
    ],
    [['dev', '--stop', '--detach'], /^error: option .* cannot be used with option .*\n$/],
  ];
  for (const [args, expected] of cases) {
    const { exitCode, stdout, stderr } = await screen(...args);
    t.equal(exitCode, 2, args.join(' '));
    t.equal(stdout, '');
    t.match(stderr, expected);
  }
});

t.test('no requester is one line that says what to do', async (t) => {
  const { exitCode, stderr } = await screen('job', 'list');
  t.equal(exitCode, 1);
  t.equal(
    stderr,
    'error: no requester found in /nowhere/requester; start one with `limpet dev`, or name one with --api or LIMPET_API\n',
  );
});

t.test(
  'every command for the agent of this host asks the one in the folder of --data',
  async (t) => {
    const words = [['status'], ['stop'], ['metrics'], ['sweep'], ['foreign']];
    const more = [
      ['foreign', 'stop', 'e-1'],
      ['engine', 'accept', 'docker'],
    ];
    for (const command of [...words, ...more]) {
      const { exitCode, stderr } = await screen('agent', ...command, '--data', '/elsewhere');
      t.equal(exitCode, 1);
      t.match(stderr, /^error: no agent has run in \/elsewhere; /, command.join(' '));
    }
  },
);
