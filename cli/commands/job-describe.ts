/** `limpet job describe ID` */
import type { Command } from 'commander';
import type { z } from 'zod';
import { shortId } from '../../core/ids.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { jobReply, toMs } from '../api/models.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { findJobId } from '../jobs/find-job.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { labels, timestamp } from '../output/format.ts';
import { formatPairs } from '../output/table.ts';
import { executionTable } from './job-executions.ts';
import { historyTable } from './job-history.ts';

export function jobDescribe(context: Context): Command {
  return apiCommand('describe', 'show a job, its executions and its history')
    .argument('<job>', 'name, id, or a unique beginning or end of the id')
    .addOption(outputOption())
    .action(async (text: string, options: ApiOptions & OutputOptions) => {
      const api = connect(context, options);
      const id = encodeURIComponent(await findJobId(api, text));
      const reply = await api.get(`orchestrator/jobs/${id}`, jobReply, {
        query: { include: 'executions,history' },
      });
      const json = options.output === 'json';
      print(context, json ? stringifyExact(reply) : description(reply, context.now()));
    });
}

export function description(reply: z.output<typeof jobReply>, nowMs: number): string {
  const { Job: job, Executions: executions, History: history } = reply;
  const sections = [jobPairs(job)];
  if (executions && executions.Items.length > 0)
    sections.push(`Executions\n${indent(executionTable(executions.Items, nowMs))}`);
  const output = executions?.Items.at(-1)?.RunOutput;
  if (output?.Stdout) sections.push(`Output\n${indent(output.Stdout.trimEnd())}`);
  if (output?.stderr) sections.push(`Errors\n${indent(output.stderr.trimEnd())}`);
  if (history && history.Items.length > 0)
    sections.push(`History\n${indent(historyTable(history.Items))}`);
  return sections.join('\n\n');
}

function jobPairs(job: z.output<typeof jobReply>['Job']): string {
  const task = job.Tasks[0];
  return formatPairs([
    ['ID', `${job.ID} (${shortId(job.ID)})`],
    ['Name', job.Name === job.ID ? '' : job.Name],
    ['Namespace', job.Namespace === 'default' ? '' : job.Namespace],
    ['Type', job.Type],
    ['Engine', task?.Engine.Type],
    // Of ops and daemon it says nothing: they run once on each matching node.
    ['Count', ['ops', 'daemon'].includes(job.Type) ? undefined : (job.Count ?? undefined)],
    ['Labels', labels(job.Labels)],
    ['State', job.State.StateType],
    ['Message', job.State.Message],
    ['Version', job.Version ?? undefined],
    ['Created', timestamp(toMs(job.CreateTime))],
    ['Modified', timestamp(toMs(job.ModifyTime))],
  ]);
}

function indent(text: string): string {
  const printable = text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\u00b7');
  return printable.replaceAll(/^(?=.)/gm, '  ');
}
