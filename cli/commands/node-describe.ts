/** `limpet node describe ID`: everything that the requester knows of one node, its executors with their reasons too. */
import type { Command } from 'commander';
import { shortId } from '../../core/ids.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { nodeReply } from '../api/models.ts';
import type { NodeState } from '../api/models.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { pickOne } from '../jobs/find-job.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { age, bytes, labels, timestamp } from '../output/format.ts';
import { cores, isIneligible, lastHeartbeat } from '../output/node-facts.ts';
import { formatPairs, formatTable } from '../output/table.ts';
import { listNodes } from './node-list.ts';

const HELP = `
It is what the requester knows. On the node itself, \`limpet plugin list\` and \`limpet agent status\` tell more.`;

export function nodeDescribe(context: Context): Command {
  return apiCommand(
    'describe',
    'show one node: approval, link, room, and each executor with its health',
  )
    .argument('<node>', 'id, or a unique beginning or end of it')
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(async (text: string, options: ApiOptions & OutputOptions) => {
      const api = connect(context, options);
      const wanted = { what: 'node', text, list: 'limpet node list' };
      const { Info } = pickOne(await listNodes(api), (item) => item.Info.NodeID, wanted);
      const path = `orchestrator/nodes/${encodeURIComponent(Info.NodeID)}`;
      const { Node } = await api.get(path, nodeReply);
      const json = options.output === 'json';
      print(context, json ? stringifyExact(Node) : nodeText(Node, context.now()));
    });
}

export function nodeText(node: NodeState, nowMs: number): string {
  const executors = executorTable(node);
  const pairs = nodePairs(node, nowMs);
  return executors === '' ? pairs : `${pairs}\n\nExecutors\n${executors}`;
}

function nodePairs(node: NodeState, nowMs: number): string {
  const { Info, Limpet } = node;
  const compute = Info.ComputeNodeInfo;
  const foreign = Limpet?.Foreign ?? [];
  const seen = lastHeartbeat(node);
  return formatPairs([
    ['ID', Info.NodeID],
    ['Name', Limpet?.Name],
    ['Type', Info.NodeType],
    ['Version', Info.BacalhauVersion?.GitVersion],
    ['Approval', approvalText(node)],
    ...identityPairs(node, nowMs),
    ['Status', node.Connection.toLowerCase()],
    ['Scheduling', schedulingText(node)],
    ['Problem', node.ConnectionState?.LastError],
    ['Last seen', seen === undefined ? '' : `${age(seen, nowMs)} ago`],
    ...roomPairs(node),
    ['Running', compute?.RunningExecutions ?? 0],
    ['Labels', labels(Info.Labels)],
    ...foreign.map(({ executionId, executor, state, answer }): [string, string] => [
      'Foreign',
      `${shortId(executionId)} ${executor} ${state}, ${answer} to its requester`,
    ]),
  ]);
}

function roomPairs({ Info }: NodeState): (readonly [string, string])[] {
  const free = Info.ComputeNodeInfo?.AvailableCapacity;
  const all = Info.ComputeNodeInfo?.MaxCapacity;
  return [
    ['CPU', `${cores(free?.CPU)} of ${cores(all?.CPU)} free`],
    ['Memory', `${bytes(free?.Memory)} of ${bytes(all?.Memory)} free`],
    ['Disk', `${bytes(free?.Disk)} of ${bytes(all?.Disk)} free`],
    ['GPU', (all?.GPU ?? 0) === 0 ? '' : `${free?.GPU ?? 0} of ${all?.GPU ?? 0} free`],
  ];
}

/** '' when none is known. */
function executorTable({ Limpet }: NodeState): string {
  const executors = Limpet?.Executors ?? [];
  if (executors.length === 0) return '';
  const rows = executors.map((executor) => {
    const { name, health, version, recovery, reason, ParamsSchemaProblem: problem } = executor;
    const schema =
      (problem ?? '') === '' ? '' : `its schema of task params is not used: ${problem}`;
    return [name, health, version, recovery, [reason, schema].filter(Boolean).join('; ')];
  });
  return formatTable(['name', 'health', 'version', 'recovery', 'reason'], rows);
}

function schedulingText(node: NodeState): string {
  return isIneligible(node) ? `ineligible: ${node.Limpet?.Scheduling?.reason ?? ''}` : '';
}

function approvalText({ Membership, Limpet }: NodeState): string {
  const state = Membership.toLowerCase();
  const { reason = '', by, at } = Limpet?.Membership ?? {};
  return by === undefined ? state : `${state}: ${reason} (by ${by}, ${timestamp(at)} UTC)`;
}

/** By which key it is known, and who else came with it. */
function identityPairs({ Limpet }: NodeState, nowMs: number): (readonly [string, string])[] {
  const { Identity, Copy } = Limpet ?? {};
  const token = Identity?.Token;
  return [
    ['Key', Identity?.PublicKey ?? ''],
    ['Credentials', Identity ? `until ${timestamp(Identity.CredentialsUntil)} UTC` : ''],
    ['Join token', token ? `${token.Id} ${token.Name}`.trim() : ''],
    ['Copy', Copy ? `${Copy.who}; sent away ${age(Copy.at, nowMs)} ago: ${Copy.reason}` : ''],
  ];
}
