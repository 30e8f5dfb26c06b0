/** The agent's configuration: one schema with default, unit, bounds and description; errors name path, value, what is allowed. */
import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { LOG_LEVELS } from '../adapters/log/pino-log.ts';
import { LimpetError, messageOf } from '../core/errors.ts';
import { parseBytes, parseCpu, type Resources } from '../core/resources.ts';
import { shownValue } from '../core/shown-value.ts';
import { PLUGIN_NAME } from '../core/plugin-name.ts';
import { inlineArchiveConfig, resultsConfig, urlDownloadConfig } from './inputs/config.ts';
import { natsConfig } from './join/config.ts';

const absolute = z.string().regex(/^\//, 'expected an absolute path');
const pattern = z.string().refine((text) => {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}, 'expected a regular expression');

const executor = (enabled: boolean) =>
  z
    .strictObject({
      enabled: z.boolean().default(enabled).describe('Whether this node offers the executor.'),
      config: z
        .record(z.string(), z.unknown())
        .default({})
        .describe("The executor's own settings; `limpet-executor-*` checks them by its schema."),
    })
    .prefault({});

const healthMs = (defaultMs: number) => z.number().int().min(100).max(600_000).default(defaultMs);

export const agentConfigSchema = z.strictObject({
  $schema: z.string().optional(),
  dataDir: z
    .string()
    .default('/var/lib/limpet/agent')
    .describe('Folder of everything the agent keeps.'),
  runDir: absolute
    .optional()
    .describe(
      'Short folder for unix sockets; made from dataDir when that is short enough, else below /tmp.',
    ),
  machineIdFile: absolute
    .optional()
    .describe(
      "File with the id of this machine; /etc/machine-id, else /var/lib/dbus/machine-id by default. In a container: the host's, mounted.",
    ),
  name: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe('Display name of the node; the host name by default.'),
  labels: z.record(z.string(), z.string()).default({}).describe('Labels that jobs can ask for.'),
  nats: natsConfig,
  capacity: z
    .strictObject({
      CPU: z.string().optional().describe('Cores, such as 8 or 7500m; all cores by default.'),
      Memory: z.string().optional().describe('Such as 16Gi; nine tenths of the memory by default.'),
      Disk: z.string().optional().describe('Such as 100Gi; 100Gi by default.'),
      GPU: z.string().regex(/^\d+$/, 'expected a whole number').optional(),
    })
    .prefault({})
    .describe('What all executions of this node may use together.'),
  executors: z
    .strictObject({
      docker: executor(true),
      wasm: executor(true),
      process: executor(false).describe(
        'Runs programs of the host without isolation: off unless enabled.',
      ),
    })
    .prefault({}),
  plugins: z
    .array(
      z.strictObject({
        name: z.string().regex(PLUGIN_NAME, 'expected a short lower-case name'),
        command: z.array(z.string().min(1)).min(1),
        config: z.record(z.string(), z.unknown()).default({}),
        passEnv: z.array(z.string()).default([]),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits')
          .optional()
          .describe(
            'The only program that is started: its sha256, as `sha256sum` prints it; checked before every start.',
          ),
      }),
    )
    .default([])
    .describe('Further executor plugins.'),
  pluginDir: absolute
    .nullable()
    .default(null)
    .describe(
      'Folder of executor plugins: each program in it is one, named as the file; NAME.json beside it may hold args, config, passEnv and sha256. Looked at while the agent runs.',
    ),
  pluginHealth: z
    .strictObject({
      startMs: healthMs(10_000).describe('From its start until a plugin must answer, ms.'),
      everyMs: healthMs(5_000).describe('Between two health checks, ms.'),
      slowMs: healthMs(2_000).describe('A plugin that answers later is shown as slow, ms.'),
      deadMs: healthMs(10_000).describe(
        'A plugin that is silent for this long is ended and started anew, ms; its runs go on.',
      ),
    })
    .prefault({}),
  allowLocal: z
    .array(z.strictObject({ path: absolute, writable: z.boolean().default(false) }))
    .default([])
    .describe('Folders of this node that `local` input sources may mount.'),
  urlDownload: urlDownloadConfig,
  inlineArchive: inlineArchiveConfig.describe('What an archive in a job file may unpack to.'),
  results: resultsConfig.describe('What a run may publish; more fails the execution.'),
  allowEnv: z
    .array(pattern)
    .default([])
    .describe(
      'Variables of this node that jobs may read with `env:NAME`: regular expressions, whole names.',
    ),
  stopGraceMs: z
    .number()
    .int()
    .min(0)
    .max(3_600_000)
    .default(10_000)
    .describe('From TERM to KILL, ms.'),
  onStop: z
    .enum(['detach', 'kill'])
    .default('detach')
    .describe(
      'What SIGTERM, SIGINT and a plain `limpet agent stop` do with plugins and runs: leave them alone, or end them.',
    ),
  pidsLimit: z.number().int().min(1).max(1_000_000).default(512).describe('Processes of one run.'),
  socketGroup: z
    .string()
    .max(63)
    .optional()
    .describe(
      "Group whose members may use the agent's socket, by name or number. By default `limpet`, when there is one and the agent is in it; '' for none.",
    ),
  minFreeBytes: z
    .number()
    .int()
    .min(0)
    .max(1024 ** 4)
    .default(64 * 1024 ** 2)
    .describe('With less than this free on the disk of dataDir no new work is taken, bytes.'),
  outboxBytes: z
    .number()
    .int()
    .min(64 * 1024)
    .max(16 * 1024 ** 3)
    .default(256 * 1024 ** 2)
    .describe(
      'Reports that may wait for the requester, bytes; above it no new work is taken and reports are written short.',
    ),
  sweepGraceMs: z
    .number()
    .int()
    .min(0)
    .max(86_400_000)
    .default(60_000)
    .describe('From the proof that leftovers of an execution may go to their removal, ms.'),
  keepFinishedMs: z
    .number()
    .int()
    .min(0)
    .default(7 * 86_400_000)
    .describe('How long a finished execution and its log are kept, ms.'),
  keepFinishedCount: z.number().int().min(0).max(1_000_000).default(10_000),
  housekeeping: z
    .strictObject({
      maxBytes: z
        .number()
        .int()
        .min(0)
        .max(1024 ** 5)
        .default(20 * 1024 ** 3)
        .describe('Logs and results of finished executions together, bytes; the oldest go first.'),
      everyMs: z
        .number()
        .int()
        .min(1_000)
        .max(86_400_000)
        .default(3_600_000)
        .describe('Between two looks, ms; it looks at once when less than minFreeBytes is free.'),
    })
    .prefault({})
    .describe(
      'What finished executions may leave here, besides keepFinishedMs and keepFinishedCount.',
    ),
  log: z
    .strictObject({
      level: z.enum(LOG_LEVELS).default('info').describe('Least level that is logged.'),
    })
    .prefault({})
    .describe('The log on stderr.'),
});

export type AgentConfig = z.infer<typeof agentConfigSchema> & {
  /** Where it was read. */
  readonly file?: string | undefined;
};

/** Reads and checks a config file; `undefined` is all defaults. Throws `invalid-config`. */
export async function loadAgentConfig(
  file: string | undefined,
  dataDir: string | undefined,
): Promise<AgentConfig> {
  const raw = file === undefined ? {} : await readJson(file);
  const parsed = agentConfigSchema.safeParse(raw);
  if (!parsed.success) throw invalid(file ?? 'the config', parsed.error, raw);
  const config = { ...parsed.data, file, dataDir: resolve(dataDir ?? parsed.data.dataDir) };
  capacityOf(config);
  return config;
}

/** Throws `invalid-config` when a text is not a quantity. */
export function capacityOf(config: AgentConfig): Resources {
  const { CPU, Memory, Disk, GPU } = config.capacity;
  try {
    return {
      cpuMillis: CPU === undefined ? availableParallelism() * 1000 : parseCpu(CPU),
      memoryBytes: Memory === undefined ? Math.floor(totalmem() * 0.9) : parseBytes(Memory),
      diskBytes: parseBytes(Disk ?? '100Gi', 'disk'),
      gpus: Number(GPU ?? '0'),
    };
  } catch (thrown) {
    throw new LimpetError('invalid-config', `config: capacity: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (thrown) {
    throw new LimpetError(
      'invalid-config',
      `config ${file}: cannot be read: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    throw new LimpetError('invalid-config', `config ${file}: not JSON: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function invalid(file: string, error: z.ZodError, raw: unknown): LimpetError {
  const issue = error.issues[0];
  const path = issue?.path.join('.') ?? '';
  // Its value is the whole section, which may hold a password.
  if (issue?.code === 'unrecognized_keys')
    return new LimpetError(
      'invalid-config',
      `config ${file}: unknown key ${[...issue.path, issue.keys[0]].join('.')}; agent.config.json shows what there is`,
    );
  const value = issue?.path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    raw,
  );
  const shown = value === undefined ? '' : ` is ${shownValue(issue?.path.at(-1), value)}`;
  return new LimpetError(
    'invalid-config',
    `config ${file}: ${path === '' ? 'top level' : path}${shown}: ${issue?.message ?? 'not valid'}`,
  );
}
