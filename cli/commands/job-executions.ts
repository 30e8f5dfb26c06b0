/** `limpet job executions ID` */
import type { Command } from 'commander';
import { shortId } from '../../core/ids.ts';
import { progressLine } from '../../core/live-progress.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { executionStateName, toMs } from '../api/models.ts';
import type { Execution } from '../api/models.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { findJobId, listExecutions } from '../jobs/find-job.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { age } from '../output/format.ts';
import { formatTable } from '../output/table.ts';

const COMPLETED = 9;
const FAILED = 10;

export function jobExecutions(context: Context): Command {
  return apiCommand('executions', 'list the executions of a job')
    .argument('<job>', 'name, id, or a unique beginning or end of the id')
    .addOption(outputOption())
    .action(async (text: string, options: ApiOptions & OutputOptions) => {
      const api = connect(context, options);
      const executions = await listExecutions(api, await findJobId(api, text));
      if (options.output === 'json') print(context, stringifyExact(executions));
      else if (executions.length === 0) note(context, 'no executions yet');
      else print(context, executionTable(executions, context.now()));
    });
}

export function executionTable(executions: readonly Execution[], nowMs: number): string {
  const rows = executions.map((execution) => [
    shortId(execution.ID),
    shortId(execution.NodeID),
    execution.PartitionIndex ?? 0,
    executionStateName(execution.ComputeState.StateType),
    exitCode(execution),
    age(toMs(execution.CreateTime), nowMs),
    messageOf(execution),
  ]);
  return formatTable(['id', 'node', 'part', 'state', 'exit', 'age', 'message'], rows);
}

function messageOf({ ComputeState, Limpet }: Execution): string {
  const { Progress: progress } = Limpet ?? {};
  return progress ? `preparing: ${progressLine(progress)}` : ComputeState.Message;
}

/** The requester says 0 too for what never ran: only a completed one has ended with it. */
function exitCode({ ComputeState, RunOutput }: Execution): string | number {
  const code = RunOutput?.ExitCode ?? 0;
  if (ComputeState.StateType === COMPLETED) return code;
  return ComputeState.StateType === FAILED && code !== 0 ? code : '';
}
