/** `limpet dev`: broker, requester and agent of one folder, for one person on one machine. */
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ownDataFolder } from '../api/endpoint.ts';
import type { Context } from '../context.ts';
import { runBackground, stopDev } from '../dev/background.ts';
import type { BrokerKind } from '../dev/broker.ts';
import { EXECUTORS } from '../dev/dev-options.ts';
import type { DevOptions } from '../dev/dev-options.ts';
import { runForeground } from '../dev/foreground.ts';
import { dataOption, repeated } from '../options.ts';

interface Options {
  readonly data?: string;
  readonly detach?: boolean;
  readonly stop?: boolean;
  readonly agent: boolean;
  readonly broker?: BrokerKind;
  readonly executor?: readonly string[];
  readonly allowLocal?: readonly string[];
  readonly pluginDir?: string;
  readonly agentConfig?: string;
}

export function dev(context: Context, done: (exitCode: number) => void): Command {
  return new Command('dev')
    .description('run broker, requester and agent in this terminal; Ctrl-C ends everything')
    .addOption(
      new Option('-d, --detach', 'run it in the background; returns when it is ready').conflicts(
        'stop',
      ),
    )
    .option('--stop', 'end the one of this data folder')
    .option('--no-agent', 'without an agent')
    .addOption(
      new Option('--broker <kind>', 'else nats-server when there is one').choices([
        'nats-server',
        'embedded',
      ]),
    )
    .addOption(
      new Option('--executor <name>', 'enable it beside docker and wasm; repeatable').argParser(
        executorName,
      ),
    )
    .option('--allow-local <folder>', 'jobs may read it as a local input; repeatable', repeated)
    .option('--plugin-dir <folder>', 'each program in it is an executor plugin')
    .option('--agent-config <file>', 'JSON, laid over the configuration of the agent')
    .addOption(dataOption())
    .action(async (options: Options) => {
      const data = ownDataFolder(context.env, options.data);
      if (options.stop === true) await stopDev(context, data);
      else if (options.detach === true) await runBackground(context, data, foregroundArgs(options));
      else done(await runForeground(context, toDevOptions(options, data)));
    });
}

function executorName(name: string, previous: readonly string[] | undefined): readonly string[] {
  if ((EXECUTORS as readonly string[]).includes(name)) return repeated(name, previous);
  throw new InvalidArgumentError(`Allowed choices are ${EXECUTORS.join(', ')}.`);
}

function toDevOptions(options: Options, data: string): DevOptions {
  return {
    data,
    agent: options.agent,
    broker: options.broker,
    executors: options.executor ?? [],
    allowLocal: (options.allowLocal ?? []).map((folder) => resolve(folder)),
    pluginDir: options.pluginDir === undefined ? undefined : resolve(options.pluginDir),
    agentConfig: options.agentConfig,
  };
}

function foregroundArgs(options: Options): string[] {
  return [
    ...(options.agent ? [] : ['--no-agent']),
    ...(options.broker === undefined ? [] : ['--broker', options.broker]),
    ...(options.executor ?? []).flatMap((name) => ['--executor', name]),
    ...(options.allowLocal ?? []).flatMap((folder) => ['--allow-local', resolve(folder)]),
    ...(options.pluginDir === undefined ? [] : ['--plugin-dir', resolve(options.pluginDir)]),
    ...(options.agentConfig === undefined ? [] : ['--agent-config', resolve(options.agentConfig)]),
  ];
}
