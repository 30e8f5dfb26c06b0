/** What the agent's socket says of plugins: `limpet plugin list|inspect|restart|logs|schema` show it. */
import { z } from 'zod';

const PLUGIN_SOURCES = ['built-in', 'config', 'folder'] as const;

/**
 *   starting    it is being found again or started
 *   running     it answers
 *   slow        it missed a health check; ended and started anew when it goes on
 *   restarting  it ended or did not start; the next try comes by itself
 *   upgrading   it answers, and a new instance of it takes over its runs
 *   removed     no new work; gone when its runs have ended
 *   refused     nothing is started: see the reason
 *   stopped     the agent has let go of it
 */
const PLUGIN_STATES = [
  'starting',
  'running',
  'slow',
  'restarting',
  'upgrading',
  'removed',
  'refused',
  'stopped',
] as const;

/** Times are ms since the epoch. What belongs to a live process is missing while there is none. */
export const pluginFactSchema = z.object({
  name: z.string(),
  source: z.enum(PLUGIN_SOURCES),
  command: z.array(z.string()).readonly(),
  /** The program file. */
  path: z.string(),
  /** Of the program of the live process. */
  sha256: z.string().optional(),
  pinned: z.boolean(),
  state: z.enum(PLUGIN_STATES),
  health: z.string(),
  /** One sentence: why it is not running or not healthy; '' when it is. */
  reason: z.string(),
  version: z.string(),
  /** Negotiated version of the application protocol. */
  protocol: z.number().optional(),
  pid: z.number().optional(),
  instance: z.string().optional(),
  /** Its socket. */
  address: z.string().optional(),
  startedAt: z.number().optional(),
  reattached: z.boolean(),
  restarts: z.int(),
  /** Live ones. */
  runs: z.int(),
  capabilities: z.array(z.string()).readonly(),
  /** What is not right about it and stops nothing, a sentence each; missing when there is nothing. */
  warnings: z.array(z.string()).readonly().optional(),
  /** The new instance that takes over. */
  upgrade: z.object({ version: z.string(), pid: z.number(), runsLeft: z.int() }).optional(),
});
export type PluginFact = Readonly<z.infer<typeof pluginFactSchema>>;

/** GET /plugins */
export const pluginListSchema = z.object({ plugins: z.array(pluginFactSchema).readonly() });

/** GET /plugins/:name. The record is the stored one, by which the next agent finds the process again. */
export const pluginDetailSchema = pluginFactSchema.extend({
  attributes: z.record(z.string(), z.string()),
  record: z.record(z.string(), z.unknown()).optional(),
});
export type PluginDetail = Readonly<z.infer<typeof pluginDetailSchema>>;

/** GET /plugins/:name/log?lines=N&from=OFFSET: whole lines; ask again from `next`. */
export const pluginLogSchema = z.object({
  /** The file, on the host of the agent. */
  file: z.string(),
  text: z.string(),
  next: z.int(),
});

/** GET /plugins/:name/schema: JSON Schemas of the plugin's section of the config, and of task params. */
export const pluginSchemasSchema = z.object({ config: z.unknown(), params: z.unknown() });
