/** The options of `docker run` and `wasm run`, and the job they make. */
import { resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { parseJobSpec } from '../../core/job-spec.ts';
import type { Context } from '../context.ts';
import { apiCommand, connect, outputOption, repeated, seconds } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { submitJob } from './submit.ts';

export interface QuickOptions extends ApiOptions, OutputOptions {
  readonly name?: string;
  readonly env?: readonly string[];
  readonly input?: readonly string[];
  readonly result?: readonly string[];
  readonly cpu?: string;
  readonly memory?: string;
  readonly gpu?: string;
  readonly network?: string;
  readonly timeout?: number;
  readonly detach?: boolean;
  readonly idOnly?: boolean;
  readonly dryRun?: boolean;
}

/** Options stand before the image or module; all that follows it belongs to the work. */
export function quickCommand(description: string): Command {
  return apiCommand('run', description)
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nOptions stand before the image or module; all that follows it belongs to the work.',
    )
    .option('-d, --detach', 'do not stay until the job ends')
    .option('--wait', 'stay until the job ends (the default)')
    .option('-e, --env <NAME=value>', 'a variable of the work; repeatable', repeated)
    .option(
      '-i, --input <source:target>',
      "a node's file or folder for the work; repeatable",
      repeated,
    )
    .option('-r, --result <name:path>', 'a path of the work to publish; repeatable', repeated)
    .option('--name <name>', 'name of the job')
    .option('--cpu <cores>', 'such as 0.5 or 500m')
    .option('--memory <size>', 'such as 512Mb or 1Gi')
    .option('--gpu <count>', 'devices')
    .option('--timeout <time>', 'end it after this long: 30s, 10m, 1h', seconds)
    .addOption(
      new Option('--network <type>', 'network of the work').choices([
        'none',
        'default',
        'host',
        'bridge',
      ]),
    )
    .option('--id-only', 'print the id of the job and nothing else')
    .option('--dry-run', 'print the job and do not send it')
    .addOption(outputOption());
}

export interface QuickTask {
  readonly Engine: { readonly Type: string; readonly Params: Readonly<Record<string, unknown>> };
  readonly InputSources?: readonly unknown[];
}

export async function runQuick(
  context: Context,
  task: QuickTask,
  options: QuickOptions,
): Promise<number> {
  const job = quickJob(task, options);
  parseJobSpec(job, 'strict');
  if (options.dryRun === true) {
    context.stdout.write(`${JSON.stringify(job, undefined, 2)}\n`);
    return 0;
  }
  const stay = options.detach !== true;
  return submitJob(context, connect(context, options), job, {
    wait: stay,
    follow: stay && options.output === 'table' && options.idOnly !== true,
    idOnly: options.idOnly ?? false,
    output: options.output,
  });
}

function quickJob(task: QuickTask, options: QuickOptions): object {
  const inputs = [...(task.InputSources ?? []), ...(options.input ?? []).map(localInput)];
  const results = (options.result ?? []).map((text) => {
    const [Name, Path] = halves(text, ':', 'a result as name:path');
    return { Name, Path };
  });
  const env = (options.env ?? []).map((text) => halves(text, '=', 'a variable as NAME=value'));
  return {
    ...(options.name === undefined ? {} : { Name: options.name }),
    Type: 'batch',
    Count: 1,
    Tasks: [
      {
        Name: 'main',
        Engine: task.Engine,
        ...(env.length === 0 ? {} : { Env: Object.fromEntries(env) }),
        ...(inputs.length === 0 ? {} : { InputSources: inputs }),
        ...(results.length === 0 ? {} : { Publisher: { Type: 'local' }, ResultPaths: results }),
        Resources: given({ CPU: options.cpu, Memory: options.memory, GPU: options.gpu }),
        ...(options.network === undefined ? {} : { Network: { Type: options.network } }),
        Timeouts: given({ ExecutionTimeout: options.timeout }),
      },
    ],
  };
}

function localInput(text: string): object {
  const [source, target] = halves(text, ':', 'an input as source:target');
  return { Source: { Type: 'local', Params: { SourcePath: resolve(source) } }, Target: target };
}

function halves(text: string, separator: string, expected: string): [string, string] {
  const at = text.indexOf(separator);
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new LimpetError('invalid-argument', `'${text}' is not ${expected}`);
}

function given(values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
