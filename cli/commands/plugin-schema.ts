/** `limpet plugin schema NAME`: the JSON Schema of what its tasks, or its section of the config, may hold. */
import { Command } from 'commander';
import { pluginSchemasSchema } from '../../wire/plugins.ts';
import { askAgentFor } from '../agent-answer.ts';
import { agentFolder, folderOf } from '../agent-folder.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';

interface SchemaOptions {
  readonly config?: boolean;
}

export function pluginSchema(context: Context): Command {
  return folderOf(new Command('schema'))
    .description("print the JSON Schema of a plugin's task params (Engine.Params)")
    .argument('<name>', 'as `limpet plugin list` shows it')
    .option('--config', "of the plugin's section of the agent's config instead")
    .action(async (name: string, options: SchemaOptions, command: Command) => {
      const folder = agentFolder(context, command);
      const path = `/plugins/${encodeURIComponent(name)}/schema`;
      const { config, params } = await askAgentFor(pluginSchemasSchema, folder, ['GET', path]);
      print(context, JSON.stringify(options.config === true ? config : params, undefined, 2));
    });
}
