/** A plugin's section of the config against the schema that the plugin has told, before the plugin is given it. */
import type { SchemaChecks } from '../../adapters/schemas/schema-check.ts';
import type { PluginSpec } from './port.ts';

export interface ConfigJudged {
  /** File and path, what was found, what is expected; undefined when nothing is known to be wrong. */
  readonly fault?: string;
  /** Why the schema itself is not used. */
  readonly problem?: string;
}

export function judgeConfig(
  { config, configAt }: PluginSpec,
  schemaJson: string,
  checks: SchemaChecks,
): ConfigJudged {
  if (schemaJson === '') return {};
  const check = checks.of(schemaJson);
  const fault = check.fault(config ?? {}, configAt?.path ?? ['config']);
  if (fault === undefined) return check.problem === undefined ? {} : { problem: check.problem };
  return { fault: configAt?.file === undefined ? fault : `${configAt.file}: ${fault}` };
}
