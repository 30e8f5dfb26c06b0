/**
 * A plugin process without the SDK, to be killed: starts (or finds) one run, supervises it, and appends its log as JSON
 * lines `{stream, text, cursor}` to a file. Arguments: one JSON of `PluginOrder`.
 */
import { appendFileSync } from 'node:fs';
import type { RunContext } from '../../../plugins/sdk/types.ts';
import type { DockerParams } from '../../../executors/docker/params.ts';
import { openPlugin, type NodeFacts } from './node.ts';

export interface PluginOrder {
  readonly node: NodeFacts;
  readonly host: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly run: RunContext<DockerParams>;
  readonly output: string;
}

const order: PluginOrder = JSON.parse(process.argv[2] ?? '');
const plugin = await openPlugin(order.node, order.host, { config: order.config });
const started = await plugin.start(order.run);
process.stdout.write(`started ${started.facts?.['containerId'] ?? ''}\n`);
void plugin.supervise(order.run, AbortSignal.timeout(120_000));
for await (const chunk of plugin.logs(order.run).read('', AbortSignal.timeout(120_000))) {
  const text = Buffer.from(chunk.data).toString('latin1');
  appendFileSync(
    order.output,
    `${JSON.stringify({ stream: chunk.stream, text, cursor: chunk.cursor })}\n`,
  );
}
