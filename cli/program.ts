/** The command tree. */
import { Command } from 'commander';
import { VERSION } from '../wire/version.ts';
import { agent } from './commands/agent.ts';
import { dev } from './commands/dev.ts';
import { doctor } from './commands/doctor.ts';
import { dockerRun } from './commands/docker-run.ts';
import { executionDescribe, executionHistory } from './commands/execution.ts';
import { install } from './commands/install.ts';
import { jobAdopt } from './commands/job-adopt.ts';
import { jobDescribe } from './commands/job-describe.ts';
import { jobExecutions } from './commands/job-executions.ts';
import { jobGet } from './commands/job-get.ts';
import { jobHistory } from './commands/job-history.ts';
import { jobList } from './commands/job-list.ts';
import { jobLogs } from './commands/job-logs.ts';
import { jobRun } from './commands/job-run.ts';
import { jobSchema } from './commands/job-schema.ts';
import { jobStop } from './commands/job-stop.ts';
import { jobValidate } from './commands/job-validate.ts';
import { nodeApprove } from './commands/node-approve.ts';
import { nodeDelete } from './commands/node-delete.ts';
import { nodeDescribe } from './commands/node-describe.ts';
import { nodeList } from './commands/node-list.ts';
import { nodeReject } from './commands/node-reject.ts';
import { nodeToken } from './commands/node-token.ts';
import { pluginInit } from './commands/plugin-init.ts';
import { pluginInspect } from './commands/plugin-inspect.ts';
import { pluginList } from './commands/plugin-list.ts';
import { pluginLogs } from './commands/plugin-logs.ts';
import { pluginRestart } from './commands/plugin-restart.ts';
import { pluginSchema } from './commands/plugin-schema.ts';
import { pluginTest } from './commands/plugin-test.ts';
import { recover } from './commands/recover.ts';
import { requester } from './commands/requester.ts';
import { uninstall } from './commands/uninstall.ts';
import { wasmRun } from './commands/wasm-run.ts';
import type { Context } from './context.ts';

const FIRST_STEPS = `
First steps:
  limpet dev                              a whole cluster in this terminal
  limpet wasm run module.wasm             run a module and show its output
  limpet docker run busybox echo hello    run a container and show its output
  limpet job run job.yaml --follow        run a job file`;

/** \`done\` takes the exit code of a command that has one of its own. */
export function createProgram(context: Context, done: (exitCode: number) => void): Command {
  const program = new Command('limpet')
    .description('Runs jobs on compute nodes, and finds every one again, whatever dies.')
    .version(VERSION, '-V, --version', 'print the version')
    .enablePositionalOptions()
    .addHelpText('after', FIRST_STEPS);
  group(program, 'job', 'submit jobs and see what becomes of them', [
    jobRun(context, done),
    jobList(context),
    jobDescribe(context),
    jobLogs(context, done),
    jobStop(context),
    jobAdopt(context),
    jobGet(context),
    jobExecutions(context),
    jobHistory(context),
    jobValidate(context),
    jobSchema(context),
  ]);
  group(program, 'execution', 'see one execution as its owner and its node do', [
    executionDescribe(context),
    executionHistory(context),
  ]);
  group(program, 'docker', 'run container images', [dockerRun(context, done)]);
  group(program, 'wasm', 'run WebAssembly modules', [wasmRun(context, done)]);
  group(program, 'node', 'see the compute nodes, and decide on them', nodeCommands(context));
  group(program, 'plugin', 'see executor plugins, and make yours', pluginCommands(context, done));
  program
    .addCommand(agent(context, done))
    .addCommand(recover(context))
    .addCommand(doctor(context, done))
    .addCommand(requester(context, done))
    .addCommand(dev(context, done))
    .addCommand(install(context))
    .addCommand(uninstall(context));
  configure(program, context);
  return program;
}

function nodeCommands(context: Context): readonly Command[] {
  return [
    nodeList(context),
    nodeDescribe(context),
    nodeApprove(context),
    nodeReject(context),
    nodeDelete(context),
    nodeToken(context),
  ];
}

function pluginCommands(context: Context, done: (exitCode: number) => void): readonly Command[] {
  return [
    pluginList(context),
    pluginInspect(context),
    pluginRestart(context),
    pluginLogs(context, done),
    pluginSchema(context),
    pluginInit(context),
    pluginTest(context, done),
  ];
}

function group(
  program: Command,
  name: string,
  description: string,
  commands: readonly Command[],
): void {
  const parent = new Command(name).description(description).enablePositionalOptions();
  for (const command of commands) parent.addCommand(command);
  program.addCommand(parent);
}

/** Commander's settings do not reach commands that are added whole. */
function configure(command: Command, context: Context): void {
  command
    .exitOverride()
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      getOutHelpWidth: () => context.stdout.columns || 100,
      getErrHelpWidth: () => context.stderr.columns || 100,
    });
  for (const child of command.commands) configure(child, context);
}
