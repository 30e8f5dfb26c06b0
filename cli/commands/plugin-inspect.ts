/** `limpet plugin inspect NAME`: everything that the agent knows of one plugin. */
import { Command } from 'commander';
import { pluginDetailSchema, type PluginDetail } from '../../wire/plugins.ts';
import { askAgentFor } from '../agent-answer.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { outputOption } from '../options.ts';
import type { OutputOptions } from '../options.ts';
import { age } from '../output/format.ts';
import { formatPairs } from '../output/table.ts';

export function pluginInspect(context: Context): Command {
  return folderOf(new Command('inspect'))
    .description('show one plugin: its process, capabilities, attributes and reattach record')
    .argument('<name>', 'as `limpet plugin list` shows it')
    .addOption(outputOption())
    .action(async (name: string, options: OutputOptions, command: Command) => {
      const folder = agentFolder(context, command);
      const path = `/plugins/${encodeURIComponent(name)}`;
      const plugin = await askAgentFor(pluginDetailSchema, folder, ['GET', path]);
      const json = options.output === 'json';
      print(
        context,
        json ? JSON.stringify(plugin, undefined, 2) : detailText(plugin, context.now()),
      );
    });
}

function detailText(plugin: PluginDetail, nowMs: number): string {
  const { attributes, record } = plugin;
  const sections = [factPairs(plugin, nowMs)];
  if (Object.keys(attributes).length > 0)
    sections.push(`Attributes\n${formatPairs(Object.entries(attributes).sort())}`);
  if (record !== undefined)
    sections.push(
      `Reattach record\n${formatPairs(Object.entries(record).map(([key, value]) => [key, shown(value)]))}`,
    );
  return sections.join('\n\n');
}

function factPairs(plugin: PluginDetail, nowMs: number): string {
  return formatPairs([
    ['Name', plugin.name],
    ['Source', plugin.source],
    ['State', plugin.state],
    ['Health', plugin.health],
    ['Reason', plugin.reason],
    ...(plugin.warnings ?? []).map((text): [string, string] => ['Warning', text]),
    ['Upgrade', upgradeText(plugin)],
    ['Version', plugin.version],
    ['Protocol', plugin.protocol],
    ['Capabilities', plugin.capabilities.join(' ')],
    ['Program', plugin.path],
    ['Command', plugin.command.join(' ')],
    ['SHA-256', plugin.sha256],
    ['Pinned', plugin.pinned ? 'yes: no other program is started' : 'no'],
    ['Pid', plugin.pid],
    ['Up', upText(plugin, nowMs)],
    ['Instance', plugin.instance],
    ['Socket', plugin.address],
    ['Restarts', plugin.restarts],
    ['Runs', plugin.runs],
  ]);
}

function upText({ startedAt, reattached }: PluginDetail, nowMs: number): string {
  if (startedAt === undefined) return '';
  return `${age(startedAt, nowMs)}${reattached ? ', found again by this agent' : ''}`;
}

function upgradeText({ upgrade }: PluginDetail): string {
  if (upgrade === undefined) return '';
  const { version, pid, runsLeft } = upgrade;
  return `version ${version}, pid ${pid}, takes over; ${runsLeft} runs are left`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
