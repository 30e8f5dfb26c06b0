/** `limpet docker run IMAGE [CMD...]` */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { quickCommand, runQuick } from '../jobs/quick-job.ts';
import type { QuickOptions } from '../jobs/quick-job.ts';

interface DockerOptions extends QuickOptions {
  readonly entrypoint?: string;
  readonly workdir?: string;
}

export function dockerRun(context: Context, done: (exitCode: number) => void): Command {
  return quickCommand('run a container image as a job and show its output')
    .argument('<image>', 'the image')
    .argument('[command...]', 'its command; nothing runs the one of the image')
    .option('--entrypoint <program>', 'instead of the one of the image')
    .option('--workdir <path>', 'working directory inside')
    .action(async (image: string, command: string[], options: DockerOptions) => {
      const params = {
        Image: image,
        ...(command.length === 0 ? {} : { Parameters: command }),
        ...(options.entrypoint === undefined ? {} : { Entrypoint: [options.entrypoint] }),
        ...(options.workdir === undefined ? {} : { WorkingDirectory: options.workdir }),
      };
      done(await runQuick(context, { Engine: { Type: 'docker', Params: params } }, options));
    });
}
