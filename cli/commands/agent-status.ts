/** `limpet agent status`: what the agent of this host says of itself. */
import { Command } from 'commander';
import { LimpetError } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import { agentStatusSchema, type AgentStatusAnswer } from '../../wire/agent-status.ts';
import { reloadLine } from '../../wire/reload.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgent } from '../agent-socket.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { outputOption } from '../options.ts';
import type { OutputOptions } from '../options.ts';
import { age, bytes } from '../output/format.ts';
import { formatPairs, formatTable } from '../output/table.ts';

export function agentStatus(context: Context): Command {
  return folderOf(new Command('status'))
    .description('ask the agent of this host for its state')
    .addOption(outputOption())
    .action(async (options: OutputOptions, command: Command) => {
      const folder = agentFolder(context, command);
      const answer = await askAgent(folder, 'GET', '/status');
      if (options.output === 'json') {
        print(context, JSON.stringify(answer, undefined, 2));
        return;
      }
      const status = agentStatusSchema.safeParse(answer);
      if (!status.success)
        throw new LimpetError(
          'version-mismatch',
          'the agent answers in another version; use --output json',
        );
      print(context, statusText(status.data, context.now()));
    });
}

export function statusText(status: AgentStatusAnswer, nowMs: number): string {
  const sections = [agentPairs(status, nowMs), `Executors\n${executorTable(status)}`];
  if (status.executions.length > 0) sections.push(`Executions\n${executionTable(status, nowMs)}`);
  if (status.foreign.length > 0)
    sections.push(
      `Foreign (without a record; see \`limpet agent foreign\`)\n${status.foreign.join('\n')}`,
    );
  if (status.degraded.length > 0) sections.push(`Problems\n${status.degraded.join('\n')}`);
  return sections.join('\n\n');
}

function agentPairs(status: AgentStatusAnswer, nowMs: number): string {
  const { capacity, allocated, link } = status;
  return formatPairs([
    ['Node', `${status.nodeId} (${status.name})`],
    ['State', status.ok && status.degraded.length === 0 ? 'ok' : 'degraded'],
    ['Drained', drainText(status, nowMs)],
    ['Config', reloadText(status, nowMs)],
    ['Requester', link.detail === '' ? link.state : `${link.state}: ${link.detail}`],
    ['Agent', `version ${status.version}, pid ${status.pid}, up ${age(status.startedAt, nowMs)}`],
    ['Ready', status.readyMs === undefined ? 'not yet' : `after ${Math.round(status.readyMs)} ms`],
    ['CPU', `${allocated.cpuMillis / 1000} of ${capacity.cpuMillis / 1000} in use`],
    ['Memory', `${bytes(allocated.memoryBytes)} of ${bytes(capacity.memoryBytes)} in use`],
    ['Data', status.dataDir],
    ['Streams', status.streams === undefined ? '' : `${status.streams} open`],
    ['Finished', finishedText(status, nowMs)],
    ['Foreign runs', status.foreign.length === 0 ? '' : status.foreign.length],
    ['Quarantined', status.quarantined.length === 0 ? '' : status.quarantined.length],
  ]);
}

function drainText({ drainedSince, executions }: AgentStatusAnswer, nowMs: number): string {
  if (drainedSince === undefined) return '';
  const left = executions.length === 0 ? 'no work is left' : `${executions.length} executions left`;
  return `for ${age(drainedSince, nowMs)}, ${left}`;
}

function reloadText({ reloaded }: AgentStatusAnswer, nowMs: number): string {
  return reloaded === undefined
    ? ''
    : `read again ${age(reloaded.at, nowMs)} ago: ${reloadLine(reloaded)}`;
}

function finishedText({ housekeeping }: AgentStatusAnswer, nowMs: number): string {
  if (housekeeping?.lookedAt === undefined) return '';
  const { finished, bytes: kept, lookedAt } = housekeeping;
  return `${finished} executions kept, ${bytes(kept)} of logs and results, ${age(lookedAt, nowMs)} ago`;
}

function executorTable(status: AgentStatusAnswer): string {
  const rows = status.executors.map((executor) => [
    executor.name,
    executor.health,
    executor.recovery,
    executor.pid ?? '',
    executor.reattached === true ? 'reattached' : '',
    executor.restarts,
    executor.adopted,
    executor.reason,
  ]);
  const head = ['name', 'health', 'recovery', 'pid', 'start', 'restarts', 'adopted', 'reason'];
  return formatTable(head, rows);
}

function executionTable(status: AgentStatusAnswer, nowMs: number): string {
  const rows = status.executions.map((execution) => [
    shortId(execution.id),
    shortId(execution.jobId),
    execution.executor,
    execution.state,
    execution.run,
    age(execution.startedAt, nowMs),
    execution.progress,
  ]);
  return formatTable(['id', 'job', 'executor', 'state', 'run', 'age', 'progress'], rows);
}
