/** `limpet execution describe|history ID`: one execution, as its owner and its node see it. */
import type { Command } from 'commander';
import { z } from 'zod';
import { liveProgressSchema, progressLine } from '../../core/live-progress.ts';
import { nodeSideSchema } from '../../wire/explain.ts';
import { executionEventSchema, outcomeSchema } from '../../wire/messages.ts';
import type { ApiClient } from '../api/client.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { decisionText, eventTable, sideBySide } from '../output/explanation.ts';
import { formatPairs } from '../output/table.ts';

const explanationReply = z.looseObject({
  owner: z.looseObject({
    id: z.string(),
    jobId: z.string(),
    nodeId: z.string(),
    desired: z.string(),
    desiredReason: z.string(),
    state: z.string(),
    run: z.number(),
    reason: z.string(),
    progress: liveProgressSchema.optional(),
    startedAt: z.number().optional(),
    finishedAt: z.number().optional(),
    outcome: outcomeSchema.optional(),
    events: z.array(executionEventSchema),
  }),
  node: nodeSideSchema,
});
type Reply = z.output<typeof explanationReply>;

export function executionDescribe(context: Context): Command {
  return executionCommand(
    'describe',
    'show what is desired, stored and observed of an execution',
  ).action(async (text: string, options: ApiOptions & OutputOptions) => {
    const reply = await ask(connect(context, options), text);
    print(context, options.output === 'json' ? stringifyExact(reply) : description(reply));
  });
}

export function executionHistory(context: Context): Command {
  return executionCommand('history', 'show every change of an execution and its cause').action(
    async (text: string, options: ApiOptions & OutputOptions) => {
      const events = newest(await ask(connect(context, options), text));
      print(context, options.output === 'json' ? stringifyExact(events) : eventTable(events));
    },
  );
}

function executionCommand(name: string, description: string): Command {
  return apiCommand(name, description)
    .argument('<execution>', 'id, or a unique beginning or end of it')
    .addOption(outputOption());
}

function ask(api: ApiClient, text: string): Promise<Reply> {
  return api.get(`limpet/executions/${encodeURIComponent(text)}/explain`, explanationReply);
}

/** The node knows its events before it has told them. */
function newest({ owner, node }: Reply): Reply['owner']['events'] {
  if (node.type !== 'explained') return owner.events;
  return node.node.events.length >= owner.events.length ? node.node.events : owner.events;
}

export function description(reply: Reply): string {
  const { owner, node } = reply;
  const explained = node.type === 'explained' ? node.node.explanation : undefined;
  const pairs = formatPairs([
    ['ID', owner.id],
    ['Job', owner.jobId],
    ['Node', owner.nodeId],
    ['Executor', explained?.executor],
    ['Message', owner.reason],
    ['Preparing', owner.progress === undefined ? '' : progressLine(owner.progress)],
    ['Node says', nodeText(node)],
    ['Recovery', explained === undefined ? '' : decisionText(explained)],
  ]);
  return [pairs, sideBySide(owner, explained), `History\n${eventTable(newest(reply))}`].join(
    '\n\n',
  );
}

function nodeText(node: Reply['node']): string {
  if (node.type === 'unreachable') return `not reachable: ${node.reason}`;
  return node.type === 'refused' ? node.message : '';
}
