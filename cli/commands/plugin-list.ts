/** `limpet plugin list`: the executor plugins of this host, and how each is. */
import { Command } from 'commander';
import { pluginListSchema, type PluginFact } from '../../wire/plugins.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { askAgentFor } from '../agent-answer.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { outputOption } from '../options.ts';
import type { OutputOptions } from '../options.ts';
import { age } from '../output/format.ts';
import { formatTable } from '../output/table.ts';

export function pluginList(context: Context): Command {
  return folderOf(new Command('list'))
    .description('list the executor plugins, and how each is')
    .addOption(outputOption())
    .action(async (options: OutputOptions, command: Command) => {
      const folder = agentFolder(context, command);
      const { plugins } = await askAgentFor(pluginListSchema, folder, ['GET', '/plugins']);
      if (options.output === 'json') print(context, JSON.stringify(plugins, undefined, 2));
      else if (plugins.length === 0) note(context, 'this node has no plugins');
      else print(context, pluginTable(plugins, context.now()));
    });
}

function pluginTable(plugins: readonly PluginFact[], nowMs: number): string {
  const rows = plugins.map((plugin) => [
    plugin.name,
    plugin.source,
    plugin.state,
    plugin.health,
    plugin.version,
    plugin.pid ?? '',
    age(plugin.startedAt, nowMs),
    plugin.restarts,
    plugin.runs,
    reasonOf(plugin),
  ]);
  const head = ['name', 'source', 'state', 'health', 'version', 'pid', 'up', 'restarts', 'runs'];
  return formatTable([...head, 'reason'], rows);
}

function reasonOf({ reason, upgrade, warnings = [] }: PluginFact): string {
  return [reason === '' ? upgradeText(upgrade) : reason, ...warnings].filter(Boolean).join('; ');
}

function upgradeText(upgrade: PluginFact['upgrade']): string {
  if (upgrade === undefined) return '';
  return `${upgrade.runsLeft} runs to hand over to version ${upgrade.version}, pid ${upgrade.pid}`;
}
