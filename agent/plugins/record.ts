/**
 * The reattach record of one plugin, under `plugin/<name>` in the store; of a new instance that takes over from it, under
 * `plugin/<name>/next`. Written as an intent before the spawn, so that a process is never unknown, and as running once the
 * handshake is there. Protocol, ProtocolVersion, Addr and Pid are the
 * names of hashicorp/go-plugin's reattach config; what stands beside them proves identity, which that config cannot.
 */
import { z } from 'zod';
import type { Logger } from '../../adapters/log/port.ts';
import type { ProcessIdentity } from '../../adapters/processes/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import { messageOf } from '../../core/errors.ts';

const launched = {
  v: z.literal(1),
  name: z.string(),
  /** LIMPET_PLUGIN_INSTANCE of the process; Info echoes it. */
  instance: z.string().min(8),
  runDir: z.string(),
  bootId: z.string(),
  sha256: z.string(),
  /** `orderOf` the spec that it was started by. Missing in older records. */
  order: z.string().optional(),
  /** ms since the epoch. Missing in older records. */
  startedAt: z.number().optional(),
};

const Intent = z.object({ ...launched, phase: z.literal('intent') });

const Running = z.object({
  ...launched,
  phase: z.literal('running'),
  Protocol: z.literal('grpc'),
  ProtocolVersion: z.number().int(),
  Addr: z.object({ Network: z.literal('unix'), String: z.string() }),
  Pid: z.number().int().positive(),
  startTime: z.string(),
});

const PluginRecordSchema = z.discriminatedUnion('phase', [Intent, Running]);

export type PluginIntent = Readonly<z.infer<typeof Intent>>;
export type RunningPlugin = Readonly<z.infer<typeof Running>>;
export type PluginRecord = PluginIntent | RunningPlugin;

const PREFIX = 'plugin/';

export function recordKey(name: string): string {
  return PREFIX + name;
}

/** Of the new instance, while an upgrade is under way. */
export function nextKey(name: string): string {
  return `${PREFIX}${name}/next`;
}

/** undefined when there is none, or none that can be read: then the plugin is started anew. */
export function loadRecord(
  store: Store,
  name: string,
  log: Logger,
): Promise<PluginRecord | undefined> {
  return readRecord(store, recordKey(name), log);
}

/** Of the new instance; undefined when there is none, or none that can be read. */
export function loadNext(
  store: Store,
  name: string,
  log: Logger,
): Promise<PluginRecord | undefined> {
  return readRecord(store, nextKey(name), log);
}

async function readRecord(
  store: Store,
  key: string,
  log: Logger,
): Promise<PluginRecord | undefined> {
  try {
    const stored = await store.get(key);
    return stored === undefined ? undefined : PluginRecordSchema.parse(stored);
  } catch (error) {
    log.warn('plugin.record-unreadable', { reason: messageOf(error) });
    return undefined;
  }
}

/** Those that can be read. */
export async function loadAllRecords(store: Store): Promise<readonly PluginRecord[]> {
  const { entries } = await store.scan({ prefix: PREFIX });
  return entries.flatMap(({ value }) => {
    const parsed = PluginRecordSchema.safeParse(value);
    return parsed.success ? [parsed.data] : [];
  });
}

export function saveRecord(store: Store, key: string, record: PluginRecord): Promise<void> {
  return store.batch([{ type: 'put', key, value: record }]);
}

export function identityOf(record: RunningPlugin): ProcessIdentity {
  return { pid: record.Pid, startTime: record.startTime, bootId: record.bootId };
}
