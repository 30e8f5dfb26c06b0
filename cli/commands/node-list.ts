/** `limpet node list`: the compute nodes as the requester knows them. */
import type { Command } from 'commander';
import { shortId } from '../../core/ids.ts';
import type { ApiClient } from '../api/client.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { nodePage } from '../api/models.ts';
import type { NodeState } from '../api/models.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { age, bytes, labels } from '../output/format.ts';
import { cores, isIneligible, lastHeartbeat } from '../output/node-facts.ts';
import { formatTable } from '../output/table.ts';

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

export async function listNodes(api: ApiClient): Promise<NodeState[]> {
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
      enginesText(node),
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

/** What it can run now, and how much more it has; `node describe` tells why. */
function enginesText({ Info, Limpet }: NodeState): string {
  const usable = Info.ComputeNodeInfo?.ExecutionEngines ?? [];
  const others = (Limpet?.Executors ?? []).filter(({ health }) => health !== 'healthy');
  const more = others.length === 0 ? [] : [`(${others.length} not usable)`];
  return [...usable, ...more].join(' ');
}
