/** `limpet plugin test`: the conformance suite, a program of its own, over any executor plugin. */
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { outputOption, repeated, wholeNumber } from '../options.ts';
import type { OutputOptions } from '../options.ts';
import { runProgram } from '../programs.ts';

interface TestOptions extends OutputOptions {
  readonly config?: string;
  readonly only?: readonly string[];
  readonly slow?: boolean;
  readonly jobs?: number;
  readonly list?: boolean;
}

const HELP = `
The plugin is started as an agent starts it, as the user who asks, with folders of its own that are deleted
afterwards. No agent takes part, and none is needed. Words of the command that are files become absolute.

FILE is JSON or YAML, and everything in it may be left out:
  config:   {}        the plugin's section of the agent's config
  env:      {}        variables for the plugin
  passEnv:  []        names of your variables that it gets; PATH, HOME, LANG and TZ always are
  mounts:   []        {source, target, readOnly} for every run
  network:  none      for every run: none, default, host, bridge or http
  samples:            params of tasks with a known behaviour; what is missing skips the rules that need it
    short:            prints 'out' to stdout and 'err' to stderr, a line each, and ends with 0
    fails:            ends with 7
    long:             prints 'tick 0', 'tick 1', ... a line each, five a second, for 10 minutes
    stubborn:         the same, and ignores TERM
    flood:            prints 5000 lines of 60 bytes: '00000 ' and 53 times 'x', numbered from 0; ends with 0
    huge:             the same with 200000 lines; the number grows, the line stays one of 60 bytes
    env:              prints the value of the variable CONFORMANCE and a newline
    invalid:          what the plugin's schema of params must refuse
Without samples they are made with sh for a plugin whose params have Command (a list of strings) or Script (a string).

Exit code: 0 no rule failed, 1 a rule failed, 2 the plugin cannot be tested, for instance since it does not start.

Examples:
  limpet plugin test -- node dist/my-plugin.js
  limpet plugin test --only stop --only logs/tail -- ./my-plugin
  limpet plugin test --config plugin-test.yaml -o json -- python3 plugin.py`;

export function pluginTest(_context: Context, done: (exitCode: number) => void): Command {
  return new Command('test')
    .description('see whether a plugin keeps the promises of an executor, rule by rule')
    .argument('[command...]', 'the program of the plugin and its arguments')
    .option('--config <file>', 'what the plugin is given: config, variables, samples of work')
    .option('--only <rule>', 'this rule, or all rules of this group; repeatable', repeated)
    .option('--slow', 'also the rules that take half a minute and more')
    .option('--jobs <n>', 'rules at a time; 4 when missing', wholeNumber)
    .option('--list', 'list the rules and test nothing')
    .addOption(outputOption())
    .passThroughOptions()
    .addHelpText('after', HELP)
    .action(async (command: string[], options: TestOptions) => {
      done(await runProgram('plugin-test', [...flags(options), '--', ...command]));
    });
}

function flags({ config, only = [], slow, jobs, list, output }: TestOptions): string[] {
  return [
    ...(config === undefined ? [] : [`--config=${config}`]),
    ...only.map((rule) => `--only=${rule}`),
    ...(slow === true ? ['--slow'] : []),
    ...(jobs === undefined ? [] : [`--jobs=${jobs}`]),
    ...(list === true ? ['--list'] : []),
    ...(output === 'json' ? ['--json'] : []),
  ];
}
