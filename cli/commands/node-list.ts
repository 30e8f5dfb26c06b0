/** `limpet node list` and `limpet node describe ID` */
import type { Command } from 'commander';
import { shortId } from '../../core/ids.ts';
import type { ApiClient } from '../api/client.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { nodePage } from '../api/models.ts';
import type { NodeState } from '../api/models.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { pickOne } from '../jobs/find-job.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { age, bytes, labels, timestamp } from '../output/format.ts';
import { formatPairs, formatTable } from '../output/table.ts';

export function nodeList(context: Context): Command {
  return apiCommand('list', 'list the compute nodes')
    .addOption(outputOption())
    .action(async (options: ApiOptions & OutputOptions) => {
      const nodes = await listNodes(connect(context, options));
      const compute = nodes.filter((node) => node.Info.NodeType !== 'Requester');
      if (options.output === 'json') print(context, stringifyExact(nodes));
      else if (compute.length === 0)
        note(context, 'no compute nodes; start one with `limpet agent`');
      else print(context, nodeTable(compute, context.now()));
    });
}

export function nodeDescribe(context: Context): Command {
  return apiCommand('describe', 'show one node')
    .argument('<node>', 'id, or a unique beginning or end of it')
    .addOption(outputOption())
    .action(async (text: string, options: ApiOptions & OutputOptions) => {
      const nodes = await listNodes(connect(context, options));
      const wanted = { what: 'node', text, list: 'limpet node list' };
      const node = pickOne(nodes, (item) => item.Info.NodeID, wanted);
      const json = options.output === 'json';
      print(context, json ? stringifyExact(node) : nodePairs(node, context.now()));
    });
}

async function listNodes(api: ApiClient): Promise<NodeState[]> {
  const page = await api.get('orchestrator/nodes', nodePage, { query: { limit: 10_000 } });
  return page.Nodes;
}

export function nodeTable(nodes: readonly NodeState[], nowMs: number): string {
  const rows = nodes.map((node) => {
    const compute = node.Info.ComputeNodeInfo;
    return [
      shortId(node.Info.NodeID),
      node.Membership.toLowerCase(),
      `${node.Connection.toLowerCase()}${isIneligible(node) ? ', ineligible' : ''}`,
      age(lastHeartbeat(node), nowMs),
      `${cores(compute?.AvailableCapacity?.CPU)} / ${cores(compute?.MaxCapacity?.CPU)}`,
      `${bytes(compute?.AvailableCapacity?.Memory)} / ${bytes(compute?.MaxCapacity?.Memory)}`,
      compute?.RunningExecutions ?? 0,
      (compute?.ExecutionEngines ?? []).join(' '),
      labels(node.Info.Labels),
    ];
  });
  const head = [
    'id',
    'approval',
    'status',
    'seen',
    'cpu free',
    'memory free',
    'runs',
    'engines',
    'labels',
  ];
  return formatTable(head, rows);
}

export function nodePairs(node: NodeState, nowMs: number): string {
  const compute = node.Info.ComputeNodeInfo;
  const foreign = node.Limpet?.Foreign ?? [];
  const free = compute?.AvailableCapacity;
  const all = compute?.MaxCapacity;
  const seen = lastHeartbeat(node);
  return formatPairs([
    ['ID', node.Info.NodeID],
    ['Type', node.Info.NodeType],
    ['Approval', approvalText(node)],
    ...identityPairs(node, nowMs),
    ['Status', node.Connection.toLowerCase()],
    ['Scheduling', schedulingText(node)],
    ['Problem', node.ConnectionState?.LastError],
    ['Last seen', seen === undefined ? '' : `${age(seen, nowMs)} ago`],
    ['CPU', `${cores(free?.CPU)} of ${cores(all?.CPU)} free`],
    ['Memory', `${bytes(free?.Memory)} of ${bytes(all?.Memory)} free`],
    ['Disk', `${bytes(free?.Disk)} of ${bytes(all?.Disk)} free`],
    ['Running', compute?.RunningExecutions ?? 0],
    ['Engines', (compute?.ExecutionEngines ?? []).join(' ')],
    ['Labels', labels(node.Info.Labels)],
    ...foreign.map(({ executionId, executor, state, answer }): [string, string] => [
      'Foreign',
      `${shortId(executionId)} ${executor} ${state}, ${answer} to its requester`,
    ]),
  ]);
}

function schedulingText(node: NodeState): string {
  return isIneligible(node) ? `ineligible: ${node.Limpet?.Scheduling?.reason ?? ''}` : '';
}

/** It gets no new work, because its operator drains it. */
function isIneligible({ Limpet }: NodeState): boolean {
  return Limpet?.Scheduling?.state === 'ineligible';
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

function cores(count: number | null | undefined): string {
  return String(Number((count ?? 0).toFixed(2)));
}

/** The zero time of Go means never. */
function lastHeartbeat(node: NodeState): number | undefined {
  const at = Date.parse(node.ConnectionState?.LastHeartbeat ?? '');
  return Number.isNaN(at) || at <= 0 ? undefined : at;
}
